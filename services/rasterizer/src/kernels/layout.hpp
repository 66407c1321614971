// How Gaussians lie in memory: the one place that knows row numbers and block addresses.
#pragma once

#include <cstdint>

#include "aligned.hpp"

namespace splat {

// The 59 numbers of a Gaussian, each a "row". Values are as trained: natural-log scales, unnormalised
// quaternions (wxyz), logit opacities, spherical harmonics coefficient-major (row kShN + 3 * k + channel).
enum Row : int { kMean = 0, kLogScale = 3, kQuat = 6, kOpacity = 10, kSh0 = 11, kShN = 14, kRows = 59 };

// Gaussians are stored in blocks: float[kRows][kBlock] for Gaussians 0 .. kBlock-1, then for the next kBlock,
// and so on. Vector loads along a row, one stream of memory for a whole pass, and constant offsets between
// rows. The last block's unused places are zeros, in parameters and moments alike, and stay so.
constexpr int kBlock = 64;
constexpr std::int64_t kBlockFloats = static_cast<std::int64_t>(kRows) * kBlock;

constexpr std::int64_t block_count(std::int64_t gaussians) { return (gaussians + kBlock - 1) / kBlock; }

// Where `row` of Gaussian `index` is in a table of blocks.
constexpr std::int64_t offset_of(std::int64_t index, int row) {
  return index / kBlock * kBlockFloats + static_cast<std::int64_t>(row) * kBlock + index % kBlock;
}

// Rows that are live at a spherical harmonics degree: the higher bands are neither read nor written.
constexpr int active_rows(int sh_degree) { return kShN + 3 * ((sh_degree + 1) * (sh_degree + 1) - 1); }

// A Gaussian on the image plane, ready to be blended. Its exponent at offset (dx, dy) from the mean is
//   log2(alpha) = log2_opacity - falloff * dy^2 - (skew_x * dx + skew_y * dy)^2,
// the Cholesky form of the inverse covariance: as quick as the quadratic form, with one vector less to keep,
// and no cancellation far out along thin Gaussians.
struct Projected {
  float mean_x, mean_y;           // pixels, pixel centres at +0.5
  float skew_x, skew_y, falloff;  // in sqrt(log2) and log2 units a pixel
  float log2_opacity;
  float colour[3];
  float extent_x, extent_y;  // half sizes in pixels of the box where alpha >= 1/255
  float depth;               // camera z, world units
};
static_assert(sizeof(Projected) == 48);

// Asks for a record that is needed soon; it may lie in two cache lines.
inline void prefetch(const Projected& gaussian) {
  const char* bytes = reinterpret_cast<const char*>(&gaussian);
  __builtin_prefetch(bytes);
  __builtin_prefetch(bytes + sizeof(Projected) - 1);
}

// alpha below 1/255 is not blended; above 0.99 it is cut, which bounds 1 / (1 - alpha) in the backward pass.
constexpr float kLog2AlphaMin = -7.99435344f;
constexpr float kAlphaMax = 0.99f;
// A pixel whose transmittance has fallen below this is finished.
constexpr float kTransmittanceStop = 1e-4f;

constexpr int kTile = 16;  // pixels a side

// Sums over the pixels of one (Gaussian, tile) pair: all the backward pass has to know. With p = dL/d(log
// alpha) and u = skew_x * dx + skew_y * dy: p, p u, p dy, p u^2, p u dy, p dy^2, and the blending weight
// times dL/d(colour). In u and dy, rather than dx and dy, nothing cancels along thin Gaussians.
enum Moment : int { kSum, kSumU, kSumY, kSumUU, kSumUY, kSumYY, kRed, kGreen, kBlue, kMoments };

}  // namespace splat
