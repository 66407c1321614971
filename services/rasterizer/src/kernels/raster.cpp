// Alpha blending of depth-sorted Gaussians, one 16 x 16 tile at a time, one cell of 4 x 4 pixels per vector
// step (4 x 2 or 4 x 1 with narrower vectors). Kerbl et al. 2023, equations 2 and 3, with the constants in
// layout.hpp.
//
// Each pixel stops by itself, after the Gaussian that takes its transmittance below 1e-4. Which cells still
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

constexpr int kRowVectors = kTile / kLanes;  // vectors that hold a number for each row of a tile
constexpr int kBatch = 16;                   // list entries whose footprints are found together
constexpr int kSlotPrefetch = 4;             // list entries ahead

// A tile is worked on in cells, numbered down its columns of cells. Most Gaussians are smaller than a tile is
// wide, so that cells leave fewer lanes idle than rows would.
constexpr int kColumns = kTile / kCellWidth, kCells = kTile * kTile / kLanes;

// A set of cells: bit kTile * column + y stands for the cell in that column whose first row is y. So every
// kCellHeight-th bit is used.
using Cells = std::uint64_t;
static_assert(kTile * kColumns == 64);
constexpr Cells kAllCells = ~Cells{0} / ((1 << kCellHeight) - 1);

struct Cell {
  int index, column, y;
};

inline Cell cell_at(int bit) { return {bit / kCellHeight, bit / kTile, bit % kTile}; }
inline Cell first_of(Cells cells) { return cell_at(__builtin_ctzll(cells)); }

// The cells with a pixel still going, among those given.
Cells still_going(const Float* transmittance, Cells cells) {
  Cells going = 0;
  for (; cells != 0; cells &= cells - 1) {
    const bool more = any(less_equal(broadcast(kTransmittanceStop), transmittance[first_of(cells).index]));
    going |= more ? cells & -cells : 0;
  }
  return going;
}

// One where the pixel is inside the image, zero elsewhere: a pixel outside is finished before it starts.
void fill_transmittance(Float* transmittance, int width, int height) {
  float rows[kTile];
  for (int y = 0; y < kTile; ++y) rows[y] = y < height ? 1.0f : 0.0f;
  for (int index = 0; index < kCells; ++index) {
    const Cell cell = cell_at(index * kCellHeight);
    const Float x = lane_columns() + static_cast<float>(cell.column * kCellWidth);
    transmittance[index] = keep(less(x, broadcast(static_cast<float>(width))), load_rows(rows + cell.y));
  }
}

// What a Gaussian is to the rows and columns of a tile whose corner is at (tile_x, tile_y).
struct Footprint {
  void place(const Projected& g, float tile_x, float tile_y) {
    const float left = 0.5f - (g.mean_x - tile_x), top = 0.5f - (g.mean_y - tile_y);
    // The products are rounded by themselves, so that cells() finds the same sums as the passes do.
    for (int column = 0; column < kColumns; ++column) {
      const Float x = lane_columns() + static_cast<float>(column * kCellWidth) + left;
      store(skewed_x[column], opaque(x * g.skew_x));
    }
    for (int r = 0; r < kRowVectors; ++r) {
      const Float y = lane_indices() + static_cast<float>(r * kLanes) + top;
      store(dy + r * kLanes, y);
      store(skewed_y + r * kLanes, opaque(y * g.skew_y));
      store(peak + r * kLanes, subtract_product(broadcast(g.log2_opacity), g.falloff * y, y));
    }
  }

  // The cells that the ellipse alpha >= 1/255 meets in one of their rows. Along a row the exponent is
  // greatest where |u| is least: at an end or, where u changes its sign, in between.
  Cells cells() const {
    std::uint64_t rows = 0;  // bit kTile * column + y for every row y
    for (int column = 0; column < kColumns; ++column) {
      const Float first = broadcast(skewed_x[column][0]), last = broadcast(skewed_x[column][kLanes - 1]);
      for (int r = 0; r < kRowVectors; ++r) {
        const Float along_y = load(skewed_y + r * kLanes);
        const Float least = maximum(zero(), maximum(first + along_y, -last - along_y));
        const Mask met =
            less_equal(broadcast(kLog2AlphaMin), subtract_product(load(peak + r * kLanes), least, least));
        rows |= static_cast<std::uint64_t>(bits(met)) << (column * kTile + r * kLanes);
      }
    }
    Cells result = rows;
    for (int y = 1; y < kCellHeight; ++y) result |= rows >> y;
    return result & kAllCells;
  }

  Float u(const Cell& cell) const { return load(skewed_x[cell.column]) + load_rows(skewed_y + cell.y); }

  // Before the cuts.
  Float log2_alpha(const Cell& cell, Float u) const {
    return subtract_product(load_rows(peak + cell.y), u, u);
  }

  alignas(kCacheLine) float skewed_x[kColumns][kLanes];
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

// The pixels of a cell; below the image, where there is nothing to read, those of its last row.
Float pixels(const Planes& image, int channel, const Tile& tile, const Cell& cell) {
  const float* rows[kCellHeight];
  for (int r = 0; r < kCellHeight; ++r) {
    const int y = tile.y + std::min(cell.y + r, tile.height - 1);
    rows[r] = image.row(channel, y) + tile.x + cell.column * kCellWidth;
  }
  return load_cell(rows);
}

void set_pixels(Planes& image, int channel, const Tile& tile, const Cell& cell, Float values) {
  float rows[kLanes];
  store(rows, by_rows(values));
  for (int r = 0; r < std::min(kCellHeight, tile.height - cell.y); ++r) {
    float* to = image.row(channel, tile.y + cell.y + r) + tile.x + cell.column * kCellWidth;
    std::copy_n(rows + r * kCellWidth, kCellWidth, to);
  }
}

// Calls blend(i, gaussian, footprint, cells) for the entries i of the tile's list, front to back, until no
// pixel is going any more; returns the first entry that it was not called for. Footprints are found some at a
// time: one by one, each would wait for the mispredicted end of the loop over the cells before it.
template <typename Blend>
std::int32_t for_each_entry(const Tile& tile, const Pair* list, const Projected* projected,
                            const Float* transmittance, const Blend& blend) {
  const float tile_x = static_cast<float>(tile.x), tile_y = static_cast<float>(tile.y);
  Footprint footprints[kBatch];
  Cells met[kBatch];
  Cells going = kAllCells;
  std::int32_t begin = tile.begin;
  while (begin < tile.end) {
    going = still_going(transmittance, going);
    if (going == 0) break;
    const int count = std::min(kBatch, tile.end - begin);
    for (int i = 0; i < count; ++i) {
      footprints[i].place(projected[list[begin + i].gaussian], tile_x, tile_y);
      met[i] = footprints[i].cells() & going;
    }
    for (int i = 0; i < count; ++i) {
      if (tile.end - begin - i > kBatch) prefetch(projected[list[begin + i + kBatch].gaussian]);
      blend(begin + i, projected[list[begin + i].gaussian], footprints[i], met[i]);
    }
    begin += count;
  }
  return begin;
}

void rasterize_tile(const Tile& tile, const Pair* list, const Projected* projected,
                    const float (&background)[3], Planes& image) {
  Float transmittance[kCells], red[kCells], green[kCells], blue[kCells];
  fill_transmittance(transmittance, tile.width, tile.height);
  for (Float* channel : {red, green, blue}) std::fill_n(channel, kCells, zero());
  const auto blend = [&](std::int32_t, const Projected& g, const Footprint& footprint, Cells cells) {
    for (; cells != 0; cells &= cells - 1) {
      const Cell cell = first_of(cells);
      Float& t = transmittance[cell.index];
      const Float u = footprint.u(cell), log2_alpha = footprint.log2_alpha(cell, u);
      const Float alpha =
          keep(blended(log2_alpha, t), minimum(broadcast(kAlphaMax), exp2_in_range(log2_alpha)));
      const Float weight = alpha * t;
      red[cell.index] = multiply_add(weight, broadcast(g.colour[0]), red[cell.index]);
      green[cell.index] = multiply_add(weight, broadcast(g.colour[1]), green[cell.index]);
      blue[cell.index] = multiply_add(weight, broadcast(g.colour[2]), blue[cell.index]);
      t = subtract_product(t, alpha, t);
    }
  };
  for_each_entry(tile, list, projected, transmittance, blend);
  const Float* channels[3] = {red, green, blue};
  for (int index = 0; index < kCells; ++index) {
    const Cell cell = cell_at(index * kCellHeight);
    for (int channel = 0; channel < 3; ++channel) {
      const Float behind = broadcast(background[channel]);
      set_pixels(image, channel, tile, cell,
                 multiply_add(transmittance[index], behind, channels[channel][index]));
    }
  }
}

void rasterize_tile_backward(const Tile& tile, const Pair* list, const Projected* projected,
                             const Planes& image, const Planes& gradient, float* moments) {
  Float transmittance[kCells], behind[kCells], red[kCells], green[kCells], blue[kCells];
  fill_transmittance(transmittance, tile.width, tile.height);
  Float* const channels[3] = {red, green, blue};
  for (int index = 0; index < kCells; ++index) {
    const Cell cell = cell_at(index * kCellHeight);
    behind[index] = zero();
    for (int channel = 0; channel < 3; ++channel) {
      channels[channel][index] = pixels(gradient, channel, tile, cell);
      behind[index] += channels[channel][index] * pixels(image, channel, tile, cell);
    }
  }
  const auto slot = [&](std::int32_t i) {
    return moments + static_cast<std::int64_t>(list[i].slot) * kMoments;
  };
  const auto blend = [&](std::int32_t i, const Projected& g, const Footprint& footprint, Cells cells) {
    if (tile.end - i > kSlotPrefetch) __builtin_prefetch(slot(i + kSlotPrefetch), 1);
    Float sums[kMoments] = {zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()};
    for (; cells != 0; cells &= cells - 1) {
      const Cell cell = first_of(cells);
      Float& t = transmittance[cell.index];
      const Float u = footprint.u(cell), log2_alpha = footprint.log2_alpha(cell, u);
      const Float unclamped = keep(blended(log2_alpha, t), exp2_in_range(log2_alpha));
      const Float alpha = minimum(broadcast(kAlphaMax), unclamped);
      const Float weight = alpha * t;
      t = subtract_product(t, alpha, t);
      const Float d_red = red[cell.index], d_green = green[cell.index], d_blue = blue[cell.index];
      const Float colour = weight * (d_red * g.colour[0] + d_green * g.colour[1] + d_blue * g.colour[2]);
      const Float rest = behind[cell.index] - colour;
      behind[cell.index] = rest;
      const Float d_log_alpha = keep(less(unclamped, broadcast(kAlphaMax)),
                                     subtract_product(colour, alpha * rest, reciprocal(1.0f - alpha)));
      sums[kRed] = multiply_add(weight, d_red, sums[kRed]);
      sums[kGreen] = multiply_add(weight, d_green, sums[kGreen]);
      sums[kBlue] = multiply_add(weight, d_blue, sums[kBlue]);
      const Float dy = load_rows(footprint.dy + cell.y);
      const Float along_u = d_log_alpha * u, along_y = d_log_alpha * dy;
      sums[kSum] += d_log_alpha;
      sums[kSumU] += along_u;
      sums[kSumY] += along_y;
      sums[kSumUU] = multiply_add(along_u, u, sums[kSumUU]);
      sums[kSumUY] = multiply_add(along_u, dy, sums[kSumUY]);
      sums[kSumYY] = multiply_add(along_y, dy, sums[kSumYY]);
    }
    sum_lanes_of_nine(sums, slot(i));
  };
  const std::int32_t end = for_each_entry(tile, list, projected, transmittance, blend);
  for (std::int32_t i = end; i < tile.end; ++i) std::fill_n(slot(i), kMoments, 0.0f);
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
