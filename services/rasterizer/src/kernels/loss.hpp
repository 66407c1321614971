// The training loss (1 - w) L1 + w (1 - SSIM) of a render and a photo, its gradient, and the squared error.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "image.hpp"
#include "thread_pool.hpp"

namespace splat {

// What a render is compared with, and how.
struct Photo {
  const std::uint8_t* rgb;  // [height][width][3]
  const std::uint8_t*
      mask;               // [height][width], or null. Where it is 0 the render counts as equal to the photo
  const float* exposure;  // [3][4], or null. Affine map from the render's colours to those compared
};

struct LossValues {
  double l1, ssim;  // means over all pixels and channels
  double mse;       // over the pixels that count, the render clipped to 0 .. 1; 0 if there are none
  std::array<float, 12> exposure_gradient;  // dL/d(exposure), zeros where there is none
};

// Keeps its scratch memory from call to call.
class Loss {
 public:
  // Compares `image` (3 planes, zero padding columns) with the photo, and writes the derivative of
  // (1 - ssim_weight) L1 + ssim_weight (1 - SSIM) with respect to `image` into `gradient`. With ssim_weight 0
  // the SSIM is not computed and reads as 0.
  LossValues operator()(ThreadPool& pool, const Planes& image, const Photo& photo, float ssim_weight,
                        Planes& gradient);

  // Mean structural similarity of two images of the same size, alone.
  double ssim(ThreadPool& pool, const Planes& image, const Planes& target);

 private:
  struct RowSums {
    double l1, ssim, mse, counted;
  };

  // Shares the rows of the three channels out as strips: body(channel, first row, end).
  template <typename Body>
  void for_strips(ThreadPool& pool, int height, const Body& body);
  double sum(double RowSums::* member) const;
  std::array<float, 12> exposure_backward(ThreadPool& pool, const Planes& image, const float* exposure,
                                          Planes& gradient);

  BytePlanes photo_;
  std::vector<RowSums> rows_;                     // [3 * height], added up in order
  std::vector<std::array<double, 12>> exposure_;  // [height], likewise
};

}  // namespace splat
