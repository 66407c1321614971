// Depth order by a stable radix sort, then tile lists by a counting sort in that order, so that every list
// comes out sorted by itself. Both sorts work on contiguous shares, one per thread, whose results are put
// together in share order: the outcome is the same for any number of shares.
//
// A pair is made only where the ellipse alpha >= 1/255 touches a pixel centre's row and column range of the
// tile (exact per tile row; compare SnugBox/AccuTile in Hanson et al., "Speedy-Splat", 2024).
#include "bin.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace splat {
namespace {

constexpr int kRadixBits = 11, kBuckets = 1 << kRadixBits, kPasses = 3;

constexpr int kPrefetch = 16;  // Gaussians ahead, in depth order

// Rows and columns are found in float32: this much, in pixels, is added on every side so that rounding never
// loses a pixel. Too large a span costs time, not correctness: each pixel is tested again when it is blended.
constexpr float kSpanMargin = 0.01f;

std::int64_t share_begin(std::int64_t count, int shares, int share) { return count * share / shares; }

// floor and ceil to int after clamping, since the float may be far beyond any int.
int first_pixel(float position, int size) {
  return static_cast<int>(std::ceil(std::clamp(position - kSpanMargin, 0.0f, static_cast<float>(size))));
}
int last_pixel(float position, int size) {
  return static_cast<int>(
      std::floor(std::clamp(position + kSpanMargin, -1.0f, static_cast<float>(size - 1))));
}

}  // namespace

void Bins::sort_by_depth(ThreadPool& pool, const Projected* projected, const std::uint8_t* visible,
                         std::int64_t count) {
  const int shares = pool.threads();
  order_.resize(count);
  order_swap_.resize(count);
  keys_.resize(count);
  keys_swap_.resize(count);
  histogram_.assign(static_cast<std::size_t>(shares) * kPasses * kBuckets, 0);

  std::vector<std::int64_t> starts(static_cast<std::size_t>(shares) + 1, 0);
  pool.for_each(shares, [&](std::int64_t share) {
    const int s = static_cast<int>(share);
    std::int64_t seen = 0;
    for (std::int64_t i = share_begin(count, shares, s); i < share_begin(count, shares, s + 1); ++i)
      seen += visible[i];
    starts[static_cast<std::size_t>(s) + 1] = seen;
  });
  for (int s = 0; s < shares; ++s)
    starts[static_cast<std::size_t>(s) + 1] += starts[static_cast<std::size_t>(s)];
  visible_ = starts.back();
  pool.for_each(shares, [&](std::int64_t share) {
    const int s = static_cast<int>(share);
    std::int64_t to = starts[static_cast<std::size_t>(s)];
    for (std::int64_t i = share_begin(count, shares, s); i < share_begin(count, shares, s + 1); ++i) {
      if (!visible[i]) continue;
      // Depths are positive, so their bit patterns order like the numbers.
      std::memcpy(&keys_[to], &projected[i].depth, sizeof(float));
      order_[to++] = static_cast<std::int32_t>(i);
    }
  });

  for (int pass = 0; pass < kPasses; ++pass) {
    const int shift = pass * kRadixBits;
    const auto bucket_of = [shift](std::uint32_t key) { return (key >> shift) & (kBuckets - 1); };
    const auto histogram_of = [&](std::int64_t share) {
      return histogram_.data() + (share * kPasses + pass) * kBuckets;
    };
    pool.for_each(shares, [&](std::int64_t share) {
      std::int32_t* histogram = histogram_of(share);
      const std::int64_t end = share_begin(visible_, shares, static_cast<int>(share) + 1);
      for (std::int64_t i = share_begin(visible_, shares, static_cast<int>(share)); i < end; ++i) {
        ++histogram[bucket_of(keys_[i])];
      }
    });
    std::int32_t to = 0;
    for (int bucket = 0; bucket < kBuckets; ++bucket) {
      for (int share = 0; share < shares; ++share) {
        std::int32_t& cell = histogram_of(share)[bucket];
        const std::int32_t size = cell;
        cell = to;
        to += size;
      }
    }
    pool.for_each(shares, [&](std::int64_t share) {
      std::int32_t* histogram = histogram_of(share);
      const std::int64_t end = share_begin(visible_, shares, static_cast<int>(share) + 1);
      for (std::int64_t i = share_begin(visible_, shares, static_cast<int>(share)); i < end; ++i) {
        const std::int32_t place = histogram[bucket_of(keys_[i])]++;
        keys_swap_[place] = keys_[i];
        order_swap_[place] = order_[i];
      }
    });
    std::swap(keys_, keys_swap_);
    std::swap(order_, order_swap_);
  }
}

void Bins::add_spans(Share& share, const Projected& g, int width, int height) const {
  const int y_begin = first_pixel(g.mean_y - g.extent_y - 0.5f, height);
  const int y_end = last_pixel(g.mean_y + g.extent_y - 0.5f, height);
  if (y_begin > y_end) return;
  const int tile_y_begin = y_begin / kTile, tile_y_end = y_end / kTile + 1;

  // In a single row of tiles, the box is as good as the ellipse; in a single column there is no choice.
  const int box_begin = first_pixel(g.mean_x - g.extent_x - 0.5f, width);
  const int box_end = last_pixel(g.mean_x + g.extent_x - 0.5f, width);
  if (box_begin > box_end) return;
  const int tile_x_begin = box_begin / kTile, tile_x_end = box_end / kTile + 1;
  if (tile_y_begin + 1 == tile_y_end || tile_x_begin + 1 == tile_x_end) {
    for (int tile_y = tile_y_begin; tile_y < tile_y_end; ++tile_y) {
      share.spans.push_back({tile_y, tile_x_begin, tile_x_end});
    }
    return;
  }

  const float budget = g.log2_opacity - kLog2AlphaMin;
  // At height dy above the mean the ellipse covers dx = slope * dy -+ sqrt(budget - falloff dy^2) / skew_x.
  // Its right-most point lies at dy = y_of_right, its left-most at -y_of_right.
  const float inverse_skew = 1.0f / g.skew_x;
  const float slope = -g.skew_y * inverse_skew;
  const float y_of_right = slope * g.extent_y * g.extent_y / g.extent_x;
  for (int tile_y = tile_y_begin; tile_y < tile_y_end; ++tile_y) {
    const float top = std::max(static_cast<float>(tile_y * kTile) + 0.5f - g.mean_y, -g.extent_y);
    const float bottom = std::min(static_cast<float>(tile_y * kTile + kTile) - 0.5f - g.mean_y, g.extent_y);
    if (top > bottom + kSpanMargin) continue;
    const auto half_width = [&](float dy) {
      return std::sqrt(std::max(0.0f, budget - g.falloff * dy * dy)) * inverse_skew;
    };
    const float right_dy = std::max(top, std::min(bottom, y_of_right));
    const float left_dy = std::max(top, std::min(bottom, -y_of_right));
    const float right = slope * right_dy + half_width(right_dy);
    const float left = slope * left_dy - half_width(left_dy);
    const int x_begin = first_pixel(g.mean_x + left - 0.5f, width);
    const int x_end = last_pixel(g.mean_x + right - 0.5f, width);
    if (x_begin > x_end) continue;
    share.spans.push_back({tile_y, x_begin / kTile, x_end / kTile + 1});
  }
}

void Bins::build(ThreadPool& pool, const Projected* projected, const std::uint8_t* visible,
                 std::int64_t count, int width, int height) {
  tiles_x_ = (width + kTile - 1) / kTile;
  tiles_y_ = (height + kTile - 1) / kTile;
  const int shares = pool.threads();
  shares_.resize(static_cast<std::size_t>(shares));
  slots_.resize(count);
  begin_.resize(tiles() + 1);
  sort_by_depth(pool, projected, visible, count);
  span_counts_.resize(visible_);

  pool.for_each(shares, [&](std::int64_t index) {
    Share& share = shares_[static_cast<std::size_t>(index)];
    share.spans.clear();
    const std::int64_t end = share_begin(visible_, shares, static_cast<int>(index) + 1);
    for (std::int64_t rank = share_begin(visible_, shares, static_cast<int>(index)); rank < end; ++rank) {
      if (rank + kPrefetch < end) prefetch(projected[order_[rank + kPrefetch]]);
      const std::size_t before = share.spans.size();
      add_spans(share, projected[order_[rank]], width, height);
      span_counts_[rank] = static_cast<std::int32_t>(share.spans.size() - before);
      std::int32_t size = 0;
      for (std::size_t s = before; s < share.spans.size(); ++s) {
        size += share.spans[s].tile_x_end - share.spans[s].tile_x_begin;
      }
      slots_[order_[rank]].end = size;
    }
  });

  // Slots in the order of the Gaussians, so that the backward pass reads them as one stream.
  pairs_ = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!visible[i]) continue;
    const std::int32_t size = slots_[i].end;
    slots_[i].begin = static_cast<std::int32_t>(pairs_);
    pairs_ += size;
    if (pairs_ > std::numeric_limits<std::int32_t>::max()) {
      throw std::length_error(
          "more than 2^31 - 1 pairs of a Gaussian and a tile: the image or the Gaussians are too large");
    }
    slots_[i].end = slots_[i].begin;  // grows as the lists are filled
  }

  pool.for_each(shares, [&](std::int64_t index) {
    Share& share = shares_[static_cast<std::size_t>(index)];
    share.next.assign(static_cast<std::size_t>(tiles()), 0);
    for (const Span& span : share.spans) {
      std::int32_t* next = share.next.data() + span.tile_y * tiles_x_;
      for (int x = span.tile_x_begin; x < span.tile_x_end; ++x) ++next[x];
    }
  });
  std::int32_t to = 0;
  for (int tile = 0; tile < tiles(); ++tile) {
    begin_[tile] = to;
    for (Share& share : shares_) {
      std::int32_t& cell = share.next[static_cast<std::size_t>(tile)];
      const std::int32_t size = cell;
      cell = to;
      to += size;
    }
  }
  begin_[tiles()] = to;

  list_.resize(pairs_);
  pool.for_each(shares, [&](std::int64_t index) {
    Share& share = shares_[static_cast<std::size_t>(index)];
    const Span* span = share.spans.data();
    const std::int64_t end = share_begin(visible_, shares, static_cast<int>(index) + 1);
    for (std::int64_t rank = share_begin(visible_, shares, static_cast<int>(index)); rank < end; ++rank) {
      const std::int32_t gaussian = order_[rank];
      std::int32_t slot = slots_[gaussian].begin;
      for (const Span* last = span + span_counts_[rank]; span < last; ++span) {
        std::int32_t* next = share.next.data() + span->tile_y * tiles_x_;
        for (int x = span->tile_x_begin; x < span->tile_x_end; ++x) list_[next[x]++] = {gaussian, slot++};
      }
      slots_[gaussian].end = slot;
    }
  });
}

}  // namespace splat
