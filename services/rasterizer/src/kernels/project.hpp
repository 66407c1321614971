// From Gaussians in space to Gaussians on the image plane (EWA splatting), and the way back for gradients.
#pragma once

#include <cstdint>

#include "adam.hpp"
#include "camera.hpp"
#include "layout.hpp"
#include "penalties.hpp"
#include "thread_pool.hpp"

namespace splat {

// Projects `count` Gaussians. Writes `visible[i]` for all, rounded up to whole blocks, and `projected[i]`
// where it is 1. A Gaussian is visible when it lies before the near plane, its opacity is at least 1/255 and
// its box meets the image. `antialiased` fades a Gaussian by as much as the low pass enlarges it (Yu et al.,
// "Mip-Splatting", 2024). Returns how many Gaussians hold a NaN or an infinity in their parameters or colour.
std::int64_t project(ThreadPool& pool, const float* parameters, std::int64_t count, const Camera& camera,
                     int sh_degree, bool antialiased, Projected* projected, std::uint8_t* visible);

// Where a Gaussian's pair sums lie: begin .. end, in units of kMoments floats.
struct Slots {
  std::int32_t begin, end;
};

// Densification statistics, [count] each, accumulated.
struct StatisticsRows {
  float *grad2d, *views;
};

// Sums the pair sums of each Gaussian, takes them back through the projection, adds the gradient of the
// penalties, and hands each block's gradient, float[kRows][kBlock] of which active_rows(sh_degree) are set,
// to `adam`, or to `gradient` where that is not null (blocks as in layout.hpp). Each block's part of the
// penalties goes to `penalty_sums`. Everything is in place when this returns; the order of sums is fixed.
void project_backward(ThreadPool& pool, float* parameters, std::int64_t count, const Camera& camera,
                      int sh_degree, bool antialiased, const std::uint8_t* visible, const Slots* slots,
                      const float* moments, const Penalties& penalties, double* penalty_sums,
                      const AdamState& adam, const StatisticsRows& statistics, float* gradient);

}  // namespace splat
