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

#include "simd.hpp"

namespace splat {
namespace {

constexpr int kVectors = kTile / kLanes;  // vectors in a row of a tile
constexpr int kPrefetch = 4;              // list entries ahead
constexpr int kLookEvery = 16;            // list entries between looks at which runs are still going

// A tile is worked on in runs of kLanes pixels along x, numbered column by column: run % kTile is the row.
constexpr int kRuns = kTile * kVectors;
using Runs = std::uint64_t;  // a bit for each run
static_assert(kRuns <= 64);

// The runs with a pixel still going, among those given.
Runs still_going(const Float* transmittance, Runs runs) {
  Runs going = 0;
  for (; runs != 0; runs &= runs - 1) {
    const int run = __builtin_ctzll(runs);
    const bool more = any(less_equal(broadcast(kTransmittanceStop), transmittance[run]));
    going |= static_cast<Runs>(more) << run;
  }
  return going;
}

// One where the pixel is inside the image, zero elsewhere: a pixel outside is finished before it starts.
void fill_transmittance(Float* transmittance, int width, int height) {
  for (int run = 0; run < kRuns; ++run) {
    const Float x = lane_indices() + static_cast<float>(run / kTile * kLanes);
    transmittance[run] =
        run % kTile < height ? keep(less(x, broadcast(static_cast<float>(width))), broadcast(1.0f)) : zero();
  }
}

// What a Gaussian is to the rows and columns of a tile whose corner is at (tile_x, tile_y).
struct Footprint {
  Footprint(const Projected& g, float tile_x, float tile_y) {
    const float mean_x = g.mean_x - tile_x, mean_y = g.mean_y - tile_y;
    for (int v = 0; v < kVectors; ++v) {
      skewed_x[v] = (lane_indices() + (static_cast<float>(v * kLanes) + 0.5f - mean_x)) * g.skew_x;
    }
    for (int r = 0; r < kVectors; ++r) {
      const Float y = lane_indices() + (static_cast<float>(r * kLanes) + 0.5f - mean_y);
      store(dy + r * kLanes, y);
      // Rounded by itself, so that runs() finds the same sums as the passes do.
      store(skewed_y + r * kLanes, opaque(y * g.skew_y));
      store(peak + r * kLanes, subtract_product(broadcast(g.log2_opacity), g.falloff * y, y));
    }
  }

  // The runs that the ellipse alpha >= 1/255 meets. Along a run the exponent is greatest where |u| is least:
  // at an end or, where u changes its sign, in between.
  Runs runs() const {
    Runs result = 0;
    for (int v = 0; v < kVectors; ++v) {
      const Float first = broadcast(skewed_x[v][0]), last = broadcast(skewed_x[v][kLanes - 1]);
      for (int r = 0; r < kVectors; ++r) {
        const Float along_y = load(skewed_y + r * kLanes);
        const Float least = maximum(zero(), maximum(first + along_y, -(last + along_y)));
        const Mask met =
            less_equal(broadcast(kLog2AlphaMin), subtract_product(load(peak + r * kLanes), least, least));
        result |= static_cast<Runs>(bits(met)) << (v * kTile + r * kLanes);
      }
    }
    return result;
  }

  // By column and by row: log2(alpha) before the cuts is peak[y] - u^2 with u = skewed_x + skewed_y[y].
  Float skewed_x[kVectors];
  alignas(kCacheLine) float dy[kTile], skewed_y[kTile], peak[kTile];
};

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
  Float transmittance[kRuns], red[kRuns], green[kRuns], blue[kRuns];
  fill_transmittance(transmittance, tile.width, tile.height);
  for (Float* channel : {red, green, blue}) std::fill_n(channel, kRuns, zero());
  const float tile_x = static_cast<float>(tile.x), tile_y = static_cast<float>(tile.y);
  Runs going = still_going(transmittance, ~Runs{0} >> (64 - kRuns));
  for (std::int32_t i = tile.begin; i < tile.end; ++i) {
    if ((i - tile.begin) % kLookEvery == kLookEvery - 1) {
      going = still_going(transmittance, going);
      if (going == 0) break;
    }
    if (i + kPrefetch < tile.end) prefetch(projected[list[i + kPrefetch].gaussian]);
    const Projected& g = projected[list[i].gaussian];
    const Footprint footprint(g, tile_x, tile_y);
    for (Runs runs = footprint.runs() & going; runs != 0; runs &= runs - 1) {
      const int run = __builtin_ctzll(runs), y = run % kTile;
      Float& t = transmittance[run];
      const Float u = footprint.skewed_x[run / kTile] + footprint.skewed_y[y];
      const Float log2_alpha = subtract_product(broadcast(footprint.peak[y]), u, u);
      const Float alpha =
          keep(blended(log2_alpha, t), minimum(broadcast(kAlphaMax), exp2_in_range(log2_alpha)));
      const Float weight = alpha * t;
      red[run] = multiply_add(weight, broadcast(g.colour[0]), red[run]);
      green[run] = multiply_add(weight, broadcast(g.colour[1]), green[run]);
      blue[run] = multiply_add(weight, broadcast(g.colour[2]), blue[run]);
      t = subtract_product(t, alpha, t);
    }
  }
  const Float* channels[3] = {red, green, blue};
  for (int channel = 0; channel < 3; ++channel) {
    for (int y = 0; y < tile.height; ++y) {
      float* to = image.row(channel, tile.y + y) + tile.x;
      for (int v = 0; v < kVectors; ++v) {
        const int run = v * kTile + y;
        store(to + v * kLanes,
              multiply_add(transmittance[run], broadcast(background[channel]), channels[channel][run]));
      }
    }
  }
}

void rasterize_tile_backward(const Tile& tile, const Pair* list, const Projected* projected,
                             const Planes& image, const Planes& gradient, float* moments) {
  Float transmittance[kRuns], behind[kRuns], red[kRuns], green[kRuns], blue[kRuns];
  fill_transmittance(transmittance, tile.width, tile.height);
  Float* const channels[3] = {red, green, blue};
  for (int run = 0; run < kRuns; ++run) {
    // Below the image there is nothing to read.
    const int y = tile.y + std::min(run % kTile, tile.height - 1), x = tile.x + run / kTile * kLanes;
    behind[run] = zero();
    for (int channel = 0; channel < 3; ++channel) {
      channels[channel][run] = load(gradient.row(channel, y) + x);
      behind[run] += channels[channel][run] * load(image.row(channel, y) + x);
    }
  }
  const float tile_x = static_cast<float>(tile.x), tile_y = static_cast<float>(tile.y);
  Runs going = still_going(transmittance, ~Runs{0} >> (64 - kRuns));
  std::int32_t i = tile.begin;
  for (; i < tile.end; ++i) {
    if ((i - tile.begin) % kLookEvery == kLookEvery - 1) {
      going = still_going(transmittance, going);
      if (going == 0) break;
    }
    if (i + kPrefetch < tile.end) prefetch(projected[list[i + kPrefetch].gaussian]);
    const Projected& g = projected[list[i].gaussian];
    const Footprint footprint(g, tile_x, tile_y);
    Float sums[kMoments] = {zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()};
    for (Runs runs = footprint.runs() & going; runs != 0; runs &= runs - 1) {
      const int run = __builtin_ctzll(runs), y = run % kTile;
      Float& t = transmittance[run];
      const Float u = footprint.skewed_x[run / kTile] + footprint.skewed_y[y];
      const Float log2_alpha = subtract_product(broadcast(footprint.peak[y]), u, u);
      const Float unclamped = keep(blended(log2_alpha, t), exp2_in_range(log2_alpha));
      const Float alpha = minimum(broadcast(kAlphaMax), unclamped);
      const Float weight = alpha * t;
      t = subtract_product(t, alpha, t);
      const Float d_red = red[run], d_green = green[run], d_blue = blue[run];
      const Float colour = weight * (d_red * g.colour[0] + d_green * g.colour[1] + d_blue * g.colour[2]);
      const Float rest = behind[run] - colour;
      behind[run] = rest;
      const Float d_log_alpha = keep(less(unclamped, broadcast(kAlphaMax)),
                                     subtract_product(colour, alpha * rest, reciprocal(1.0f - alpha)));
      sums[kRed] = multiply_add(weight, d_red, sums[kRed]);
      sums[kGreen] = multiply_add(weight, d_green, sums[kGreen]);
      sums[kBlue] = multiply_add(weight, d_blue, sums[kBlue]);
      const Float dy = broadcast(footprint.dy[y]);
      const Float along_u = d_log_alpha * u, along_y = d_log_alpha * dy;
      sums[kSum] += d_log_alpha;
      sums[kSumU] += along_u;
      sums[kSumY] += along_y;
      sums[kSumUU] = multiply_add(along_u, u, sums[kSumUU]);
      sums[kSumUY] = multiply_add(along_u, dy, sums[kSumUY]);
      sums[kSumYY] = multiply_add(along_y, dy, sums[kSumYY]);
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
