// The training loss (1 - w) L1 + w (1 - SSIM), its gradient, and the squared error, over planar images.
#pragma once

#include <vector>

#include "image.hpp"
#include "thread_pool.hpp"

namespace splat {

struct LossValues {
  double l1, ssim, mse;  // means over pixels and channels; mse with the render clipped to 0 .. 1
};

// Keeps its scratch memory from call to call.
class Loss {
 public:
  // Means over two images of the same size (3 planes, zero padding columns) and, into `gradient`, the
  // derivative of (1 - ssim_weight) L1 + ssim_weight (1 - SSIM) with respect to `image`. With ssim_weight 0
  // the SSIM is not computed and reads as 0.
  LossValues operator()(ThreadPool& pool, const Planes& image, const Planes& target, float ssim_weight,
                        Planes& gradient);

  // Mean structural similarity alone.
  double ssim(ThreadPool& pool, const Planes& image, const Planes& target);

 private:
  struct RowSums {
    double l1, ssim, mse;
  };

  void structural_pass(ThreadPool& pool, const Planes& image, const Planes& target, bool derivatives);
  double mean(double RowSums::* member, const Planes& image) const;

  Planes derivatives_;         // 9 planes: dSSIM/d(mean, second moment, cross moment) per channel
  std::vector<RowSums> rows_;  // [3 * height], added up in order
};

}  // namespace splat
