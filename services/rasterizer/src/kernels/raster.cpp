// Alpha blending of depth-sorted Gaussians, one 16 x 16 tile at a time, one row of 16 pixels per vector step
// (or two or four narrower vectors). Kerbl et al. 2023, equations 2 and 3, with the constants in layout.hpp.
//
// Each pixel stops by itself, after the Gaussian that takes its transmittance below 1e-4. Which rows still
// have a pixel going is looked at only now and then: it saves work and never changes a result.
//
// The backward pass also goes front to back. With g = dL/dC of a pixel and w the blending weight of a
// Gaussian of colour c, let Q = C . g - (sum of w c . g up to and including this Gaussian), that is, all that
// lies behind it, background included. Then
//   dL/d(log alpha) = w c . g - alpha Q / (1 - alpha)
// needs one scalar a pixel instead of the usual sum over three channels from the back. Over a tile only nine
// sums per Gaussian are kept (Moment); everything else follows from them per Gaussian, in project.cpp. They
// go to the pair's own slot: no atomics, and the same bits for any number of threads.
#include "raster.hpp"

#include <algorithm>
#include <cmath>

#include "simd.hpp"

namespace splat {
namespace {

constexpr int kVectors = kTile / kLanes;  // vectors in a row of a tile
constexpr int kPrefetch = 4;              // list entries ahead
constexpr int kLookEvery = 16;            // list entries between looks at which rows are still going
constexpr float kRowMargin = 0.01f;       // pixels, against rounding; see kSpanMargin

// Whether to leave out vectors in which nothing is drawn: worth a branch that is hard to predict only where
// vectors are short, so that many are empty, or where there is much to leave out. Measured.
constexpr bool kSkipEmptyForward = kVectors > 2, kSkipEmptyBackward = kVectors > 1;

struct Row {
  Float lanes[kVectors];
};

// The rows of a tile that a Gaussian may touch; empty when first > last.
struct RowRange {
  int first, last;

  RowRange meet(const Projected& g, float mean_y) const {
    const float low = std::ceil(mean_y - g.extent_y - (0.5f + kRowMargin));
    const float high = std::floor(mean_y + g.extent_y - (0.5f - kRowMargin));
    return {std::max(first, static_cast<int>(std::max(low, 0.0f))),
            std::min(last, static_cast<int>(std::min(high, static_cast<float>(kTile))))};
  }
};

// Narrows `rows` to those with a pixel still going.
RowRange still_going(const Row* transmittance, RowRange rows) {
  const auto going = [&](int y) {
    bool result = false;
    for (int v = 0; v < kVectors; ++v) {
      result |= any(less_equal(broadcast(kTransmittanceStop), transmittance[y].lanes[v]));
    }
    return result;
  };
  while (rows.first <= rows.last && !going(rows.first)) ++rows.first;
  while (rows.first <= rows.last && !going(rows.last)) --rows.last;
  return rows;
}

// One where the pixel is inside the image, zero elsewhere: a pixel outside is finished before it starts.
void fill_transmittance(Row* transmittance, int width, int height) {
  for (int y = 0; y < kTile; ++y) {
    for (int v = 0; v < kVectors; ++v) {
      const Float x = lane_indices() + static_cast<float>(v * kLanes);
      transmittance[y].lanes[v] =
          y < height ? keep(less(x, broadcast(static_cast<float>(width))), broadcast(1.0f)) : zero();
    }
  }
}

// What is the same for all rows of a Gaussian in a tile. Positions are relative to the tile's corner.
struct Footprint {
  Footprint(const Projected& g, float tile_x, float tile_y) : mean_y(g.mean_y - tile_y) {
    const float mean_x = g.mean_x - tile_x;
    for (int v = 0; v < kVectors; ++v) {
      skewed_x[v] = (lane_indices() + (static_cast<float>(v * kLanes) + 0.5f - mean_x)) * g.skew_x;
    }
  }
  float mean_y;
  Float skewed_x[kVectors];
};

// log2(alpha) before the cuts, with u = skew_x * dx + skew_y * dy; both passes must get the same bits.
inline Float exponent(const Projected& g, Float u, float dy) {
  return subtract_product(broadcast(g.log2_opacity - g.falloff * dy * dy), u, u);
}

inline Mask blended(Float log2_alpha, Float transmittance) {
  return less_equal(broadcast(kLog2AlphaMin), log2_alpha) &
         less_equal(broadcast(kTransmittanceStop), transmittance);
}

struct Tile {
  Tile(const Bins& bins, const Planes& image, int index)
      : x(index % bins.tiles_x() * kTile),
        y(index / bins.tiles_x() * kTile),
        width(std::min(kTile, image.width - x)),
        height(std::min(kTile, image.height - y)),
        begin(bins.begin(index)),
        end(bins.begin(index + 1)) {}
  int x, y, width, height;  // pixels
  std::int32_t begin, end;  // list
};

void rasterize_tile(const Tile& tile, const Pair* list, const Projected* projected,
                    const float (&background)[3], Planes& image) {
  Row transmittance[kTile], red[kTile], green[kTile], blue[kTile];
  fill_transmittance(transmittance, tile.width, tile.height);
  for (int y = 0; y < kTile; ++y) {
    for (int v = 0; v < kVectors; ++v) red[y].lanes[v] = green[y].lanes[v] = blue[y].lanes[v] = zero();
  }
  const float tile_x = static_cast<float>(tile.x), tile_y = static_cast<float>(tile.y);
  RowRange going{0, tile.height - 1};
  for (std::int32_t i = tile.begin; i < tile.end; ++i) {
    if ((i - tile.begin) % kLookEvery == kLookEvery - 1) {
      going = still_going(transmittance, going);
      if (going.first > going.last) break;
    }
    if (i + kPrefetch < tile.end) __builtin_prefetch(projected + list[i + kPrefetch].gaussian);
    const Projected& g = projected[list[i].gaussian];
    const Footprint footprint(g, tile_x, tile_y);
    const RowRange rows = going.meet(g, footprint.mean_y);
    for (int y = rows.first; y <= rows.last; ++y) {
      const float dy = static_cast<float>(y) + 0.5f - footprint.mean_y;
      for (int v = 0; v < kVectors; ++v) {
        Float& t = transmittance[y].lanes[v];
        const Float u = footprint.skewed_x[v] + g.skew_y * dy;
        const Float log2_alpha = exponent(g, u, dy);
        const Mask drawn = blended(log2_alpha, t);
        if (kSkipEmptyForward && !any(drawn)) continue;
        const Float alpha = keep(drawn, minimum(broadcast(kAlphaMax), exp2_in_range(log2_alpha)));
        const Float weight = alpha * t;
        red[y].lanes[v] = multiply_add(weight, broadcast(g.colour[0]), red[y].lanes[v]);
        green[y].lanes[v] = multiply_add(weight, broadcast(g.colour[1]), green[y].lanes[v]);
        blue[y].lanes[v] = multiply_add(weight, broadcast(g.colour[2]), blue[y].lanes[v]);
        t = subtract_product(t, alpha, t);
      }
    }
  }
  const Row* channels[3] = {red, green, blue};
  for (int channel = 0; channel < 3; ++channel) {
    for (int y = 0; y < tile.height; ++y) {
      float* to = image.row(channel, tile.y + y) + tile.x;
      for (int v = 0; v < kVectors; ++v) {
        store(to + v * kLanes, multiply_add(transmittance[y].lanes[v], broadcast(background[channel]),
                                            channels[channel][y].lanes[v]));
      }
    }
  }
}

void rasterize_tile_backward(const Tile& tile, const Pair* list, const Projected* projected,
                             const Planes& image, const Planes& gradient, float* moments) {
  Row transmittance[kTile], behind[kTile], red[kTile], green[kTile], blue[kTile];
  fill_transmittance(transmittance, tile.width, tile.height);
  Row* const channels[3] = {red, green, blue};
  for (int y = 0; y < tile.height; ++y) {
    for (int v = 0; v < kVectors; ++v) {
      behind[y].lanes[v] = zero();
      for (int channel = 0; channel < 3; ++channel) {
        const Float g = load(gradient.row(channel, tile.y + y) + tile.x + v * kLanes);
        channels[channel][y].lanes[v] = g;
        behind[y].lanes[v] += g * load(image.row(channel, tile.y + y) + tile.x + v * kLanes);
      }
    }
  }
  const float tile_x = static_cast<float>(tile.x), tile_y = static_cast<float>(tile.y);
  RowRange going{0, tile.height - 1};
  std::int32_t i = tile.begin;
  for (; i < tile.end; ++i) {
    if ((i - tile.begin) % kLookEvery == kLookEvery - 1) {
      going = still_going(transmittance, going);
      if (going.first > going.last) break;
    }
    if (i + kPrefetch < tile.end) __builtin_prefetch(projected + list[i + kPrefetch].gaussian);
    const Projected& g = projected[list[i].gaussian];
    const Footprint footprint(g, tile_x, tile_y);
    const RowRange rows = going.meet(g, footprint.mean_y);
    Float sums[kMoments] = {zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()};
    for (int y = rows.first; y <= rows.last; ++y) {
      const float dy = static_cast<float>(y) + 0.5f - footprint.mean_y;
      for (int v = 0; v < kVectors; ++v) {
        Float& t = transmittance[y].lanes[v];
        const Float u = footprint.skewed_x[v] + g.skew_y * dy;
        const Float log2_alpha = exponent(g, u, dy);
        const Mask drawn = blended(log2_alpha, t);
        if (kSkipEmptyBackward && !any(drawn)) continue;
        const Float unclamped = keep(drawn, exp2_in_range(log2_alpha));
        const Float alpha = minimum(broadcast(kAlphaMax), unclamped);
        const Float weight = alpha * t;
        t = subtract_product(t, alpha, t);
        const Float d_red = red[y].lanes[v], d_green = green[y].lanes[v], d_blue = blue[y].lanes[v];
        const Float colour = weight * (d_red * g.colour[0] + d_green * g.colour[1] + d_blue * g.colour[2]);
        const Float rest = behind[y].lanes[v] - colour;
        behind[y].lanes[v] = rest;
        const Float d_log_alpha = keep(less(unclamped, broadcast(kAlphaMax)),
                                       subtract_product(colour, alpha * rest, reciprocal(1.0f - alpha)));
        sums[kRed] = multiply_add(weight, d_red, sums[kRed]);
        sums[kGreen] = multiply_add(weight, d_green, sums[kGreen]);
        sums[kBlue] = multiply_add(weight, d_blue, sums[kBlue]);
        const Float along_u = d_log_alpha * u, along_y = d_log_alpha * dy;
        sums[kSum] += d_log_alpha;
        sums[kSumU] += along_u;
        sums[kSumY] += along_y;
        sums[kSumUU] = multiply_add(along_u, u, sums[kSumUU]);
        sums[kSumUY] = multiply_add(along_u, broadcast(dy), sums[kSumUY]);
        sums[kSumYY] = multiply_add(along_y, broadcast(dy), sums[kSumYY]);
      }
    }
    sum_lanes_of_nine(sums, moments + static_cast<std::int64_t>(list[i].slot) * kMoments);
  }
  for (; i < tile.end; ++i)
    std::fill_n(moments + static_cast<std::int64_t>(list[i].slot) * kMoments, kMoments, 0.0f);
}

}  // namespace

void rasterize(ThreadPool& pool, const Bins& bins, const Projected* projected, const float (&background)[3],
               Planes& image) {
  pool.for_ranges(bins.tiles(), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t index = begin; index < end; ++index) {
      rasterize_tile(Tile(bins, image, static_cast<int>(index)), bins.list(), projected, background, image);
    }
  });
}

void rasterize_backward(ThreadPool& pool, const Bins& bins, const Projected* projected, const Planes& image,
                        const Planes& gradient, float* moments) {
  pool.for_ranges(bins.tiles(), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t index = begin; index < end; ++index) {
      rasterize_tile_backward(Tile(bins, image, static_cast<int>(index)), bins.list(), projected, image,
                              gradient, moments);
    }
  });
}

}  // namespace splat
