// A set of Gaussians with their optimizer state and all scratch memory: what Python's GaussianModel holds.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "adam.hpp"
#include "aligned.hpp"
#include "bin.hpp"
#include "camera.hpp"
#include "image.hpp"
#include "layout.hpp"
#include "loss.hpp"
#include "penalties.hpp"
#include "project.hpp"
#include "thread_pool.hpp"

namespace splat {

// Rows of a table of Gaussians, C-contiguous, as splatworks_common.splats.Splats holds them.
template <typename T>
struct Columns {
  T *means, *log_scales, *quats, *opacities, *sh0, *shN;
  int sh_degree;
};

// How a view is drawn.
struct View {
  Camera camera;
  int sh_degree;
  float background[3];
};

// What a step optimises; the loss is (1 - ssim_weight) L1 + ssim_weight (1 - SSIM) and the penalties, here of
// the mean opacity and the mean scale.
struct Objective {
  float ssim_weight;
  Penalties penalties;
};

struct StepValues {
  double loss, mse;
  std::array<float, 12> exposure_gradient;  // zeros without exposure
};

// One learning rate for each parameter group.
struct Rates {
  float means, log_scales, quats, opacities, sh0, shN;
};

// Everything the next steps depend on, as of `count` Gaussians.
template <typename T>
struct State {
  T *parameters, *first, *second;  // block_count(count) blocks as in layout.hpp
  T *grad2d, *views;               // [count]
};

constexpr int kGroups = 6;  // means, log_scales, quats, opacities, sh0, shN

// Not thread-safe: one call at a time. Arguments are trusted (Python checks them), memory shortage is
// std::bad_alloc.
class Model {
 public:
  Model(std::int64_t capacity, int threads, bool antialiased);

  std::int64_t count() const { return count_; }
  std::int64_t capacity() const { return capacity_; }

  // Adds `rows` Gaussians at the end, with moments and statistics of zero.
  void append(const Columns<const float>& columns, std::int64_t rows);
  // Drops the Gaussians whose byte is zero; the others move up, in order, with moments and statistics.
  void keep(const std::uint8_t* keep);
  // Copies all Gaussians out; bands beyond columns.sh_degree are left out.
  void read(const Columns<float>& columns) const;

  // rgb: float[height][width][3], not clipped.
  void render(const View& view, float* rgb);
  StepValues step(const View& view, const Photo& photo, const Objective& objective, const Rates& rates);
  // The loss and its gradient without a step: gradient is float[kRows][count], zero in inactive rows.
  StepValues gradient(const View& view, const Photo& photo, const Objective& objective, float* gradient);
  // For each Gaussian, the sum over pixels of its blending weight times the value there: values
  // float[height][width], sums float[count].
  void blended(const Camera& camera, const float* values, float* sums);
  // Moves the means at random; see perturb.hpp.
  void perturb(float length, std::uint64_t seed);

  const float* grad2d() const { return grad2d_.data(); }
  const float* views() const { return views_.data(); }
  void reset_statistics();

  // How many steps were done: what Adam's bias correction counts.
  std::int64_t steps() const { return steps_; }
  // Copies the state out; before the first step all moments are zero.
  void read_state(const State<float>& state) const;
  // Becomes the model that the state was read from, whatever this one was; count is at most the capacity.
  void restore(const State<const float>& state, std::int64_t count, std::int64_t steps);

 private:
  std::int64_t forward(const View& view);
  StepValues forward_and_backward(const View& view, const Photo& photo, const Objective& objective,
                                  const AdamState& adam, const StatisticsRows& statistics, float* gradient);

  ThreadPool pool_;
  std::int64_t capacity_;
  bool antialiased_;
  std::int64_t count_ = 0;
  std::int64_t steps_ = 0;
  ZeroedFloats parameters_, first_, second_;  // blocks as in layout.hpp
  ZeroedFloats grad2d_, views_;               // [capacity, whole blocks]

  Scratch<Projected> projected_;
  Scratch<std::uint8_t> visible_;
  Bins bins_;
  Planes image_, image_gradient_;
  Loss loss_;
  Scratch<float> pair_moments_;
  Scratch<double> penalty_sums_;  // by block
};

}  // namespace splat
