// SSIM with a Gaussian window of 11 x 11 pixels, sigma 1.5, images in 0 .. 1, zeros outside the image ("same"
// size): Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004, as
// every 3DGS trainer computes it.
//
// The window is separable. Each output row is filtered vertically over 11 input rows, then horizontally
// inside a small buffer, so a row depends on nothing but its input and rows can be shared out freely. Four
// filtered maps suffice: x, y, x^2 + y^2 and x y, since the two variances occur only as their sum. The
// gradient is the transposed filter, which is the same filter, over three maps of derivatives.
#include "loss.hpp"

#include <algorithm>
#include <cmath>

#include "simd.hpp"

namespace splat {
namespace {

constexpr int kTaps = 11, kRadius = kTaps / 2;
constexpr float kC1 = 0.01f * 0.01f, kC2 = 0.03f * 0.03f;
constexpr int kRowsPerTask = 8;

// exp(-d^2 / (2 * 1.5^2)) for d = 0 .. 5, divided by the sum over all eleven.
constexpr float kWindow[kRadius + 1] = {0.26601172486f, 0.21300553771f, 0.10936068951f,
                                        0.03600077213f, 0.00759875814f, 0.00102838008f};

// A row with room for the window to hang over on both sides; the overhang is zero.
constexpr int kOverhang = 16;
static_assert(kOverhang >= kRadius + 1 && kOverhang % kLanes == 0);

// Weighted sum of eleven vectors, symmetric pairs first; `at(i)` yields the one at offset i from the middle.
template <typename At>
inline Float window_sum(const At& at) {
  Float sum = at(0) * kWindow[0];
  for (int d = 1; d <= kRadius; ++d) sum = multiply_add(at(-d) + at(d), broadcast(kWindow[d]), sum);
  return sum;
}

// Pointers to the rows y - 5 .. y + 5 of a plane; rows outside the image point to zeros.
struct RowWindow {
  RowWindow(const Planes& image, int plane, int y, const float* zeros) {
    for (int d = -kRadius; d <= kRadius; ++d) {
      const bool inside = y + d >= 0 && y + d < image.height;
      rows[d + kRadius] = inside ? image.row(plane, y + d) : zeros;
    }
  }
  const float* operator[](int d) const { return rows[d + kRadius]; }
  const float* rows[kTaps];
};

// Row buffers of one task.
class RowBuffers {
 public:
  RowBuffers(int count, int stride)
      : pitch_(stride + 2 * kOverhang), data_(static_cast<std::size_t>(count * pitch_)) {}
  // The first pixel of buffer `index`.
  float* operator[](int index) { return data_.data() + index * pitch_ + kOverhang; }

 private:
  int pitch_;
  std::vector<float> data_;
};

}  // namespace

double Loss::mean(double RowSums::* member, const Planes& image) const {
  double sum = 0;
  for (const RowSums& row : rows_) sum += row.*member;
  return sum / (3.0 * image.width * image.height);
}

void Loss::structural_pass(ThreadPool& pool, const Planes& image, const Planes& target, bool derivatives) {
  const int width = image.width, height = image.height, stride = image.stride;
  if (derivatives) derivatives_.resize(9, width, height);
  pool.for_ranges(
      static_cast<std::int64_t>(3) * height, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
        RowBuffers buffers(5, stride);
        float *mean_x = buffers[0], *mean_y = buffers[1], *squares = buffers[2], *products = buffers[3];
        const float* zeros = buffers[4];
        std::vector<float> map(static_cast<std::size_t>(stride));
        for (std::int64_t index = begin; index < end; ++index) {
          const int channel = static_cast<int>(index / height), row = static_cast<int>(index % height);
          const RowWindow xs(image, channel, row, zeros), ys(target, channel, row, zeros);
          for (int i = 0; i < stride; i += kLanes) {
            Float x0 = load(xs[0] + i), y0 = load(ys[0] + i);
            Float sum_x = x0 * kWindow[0], sum_y = y0 * kWindow[0];
            Float sum_squares = multiply_add(x0, x0, y0 * y0) * kWindow[0],
                  sum_products = x0 * y0 * kWindow[0];
            for (int d = 1; d <= kRadius; ++d) {
              const Float xa = load(xs[-d] + i), xb = load(xs[d] + i), ya = load(ys[-d] + i),
                          yb = load(ys[d] + i);
              const Float weight = broadcast(kWindow[d]);
              sum_x = multiply_add(xa + xb, weight, sum_x);
              sum_y = multiply_add(ya + yb, weight, sum_y);
              const Float square = multiply_add(xa, xa, multiply_add(xb, xb, multiply_add(ya, ya, yb * yb)));
              sum_squares = multiply_add(square, weight, sum_squares);
              sum_products = multiply_add(multiply_add(xa, ya, xb * yb), weight, sum_products);
            }
            store(mean_x + i, sum_x);
            store(mean_y + i, sum_y);
            store(squares + i, sum_squares);
            store(products + i, sum_products);
          }
          for (int i = 0; i < stride; i += kLanes) {
            const auto filtered = [i](const float* buffer) {
              return window_sum([&](int d) { return load(buffer + i + d); });
            };
            const Float mx = filtered(mean_x), my = filtered(mean_y);
            const Float variances = filtered(squares) - (mx * mx + my * my);
            const Float covariance = filtered(products) - mx * my;
            const Float a = 2.0f * mx * my + kC1, b = 2.0f * covariance + kC2;
            const Float c = mx * mx + my * my + kC1, d = variances + kC2;
            const Float inverse_c = reciprocal(c), inverse_d = reciprocal(d);
            const Float a_c = a * inverse_c, b_d = b * inverse_d, similarity = a_c * b_d;
            store(map.data() + i, similarity);
            if (derivatives) {
              // The second moments are held fixed in the first: variance and covariance depend on the mean.
              const Float by_mean = 2.0f * (my * inverse_c * b_d - mx * similarity * inverse_c -
                                            my * a_c * inverse_d + mx * similarity * inverse_d);
              const Float by_square = -similarity * inverse_d;
              const Float by_product = 2.0f * a_c * inverse_d;
              store(derivatives_.row(3 * channel, row) + i, by_mean);
              store(derivatives_.row(3 * channel + 1, row) + i, by_square);
              store(derivatives_.row(3 * channel + 2, row) + i, by_product);
            }
          }
          if (derivatives) {
            for (int k = 0; k < 3; ++k) {
              float* derivative = derivatives_.row(3 * channel + k, row);
              std::fill(derivative + width, derivative + stride, 0.0f);
            }
          }
          double sum = 0;
          for (int i = 0; i < width; ++i) sum += map[static_cast<std::size_t>(i)];
          rows_[static_cast<std::size_t>(index)].ssim = sum;
        }
      });
}

double Loss::ssim(ThreadPool& pool, const Planes& image, const Planes& target) {
  rows_.assign(static_cast<std::size_t>(3) * static_cast<std::size_t>(image.height), {});
  structural_pass(pool, image, target, false);
  return mean(&RowSums::ssim, image);
}

LossValues Loss::operator()(ThreadPool& pool, const Planes& image, const Planes& target, float ssim_weight,
                            Planes& gradient) {
  const int width = image.width, height = image.height, stride = image.stride;
  const bool structural = ssim_weight > 0;
  const double scale = 1.0 / (3.0 * width * height);
  const float l1_scale = static_cast<float>((1.0 - ssim_weight) * scale);
  const float ssim_scale = static_cast<float>(-ssim_weight * scale);
  gradient.resize(3, width, height);
  rows_.assign(static_cast<std::size_t>(3) * static_cast<std::size_t>(height), {});
  if (structural) structural_pass(pool, image, target, true);

  pool.for_ranges(
      static_cast<std::int64_t>(3) * height, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
        RowBuffers buffers(4, stride);
        const float* zeros = buffers[3];
        for (std::int64_t index = begin; index < end; ++index) {
          const int channel = static_cast<int>(index / height), row = static_cast<int>(index % height);
          const float *x = image.row(channel, row), *y = target.row(channel, row);
          float* to = gradient.row(channel, row);
          if (structural) {
            for (int k = 0; k < 3; ++k) {
              const RowWindow window(derivatives_, 3 * channel + k, row, zeros);
              float* buffer = buffers[k];
              for (int i = 0; i < stride; i += kLanes) {
                store(buffer + i, window_sum([&](int d) { return load(window[d] + i); }));
              }
            }
          }
          Float l1_sum = zero(), mse_sum = zero();
          for (int i = 0; i < stride; i += kLanes) {
            const Float rendered = load(x + i), photo = load(y + i), error = rendered - photo;
            const Float sign = select(less(zero(), error), broadcast(l1_scale),
                                      select(less(error, zero()), broadcast(-l1_scale), error * l1_scale));
            Float d = sign;
            if (structural) {
              const auto filtered = [&](int k) {
                const float* buffer = buffers[k] + i;
                return window_sum([&](int offset) { return load(buffer + offset); });
              };
              const Float by_x = filtered(0) + 2.0f * rendered * filtered(1) + photo * filtered(2);
              d += ssim_scale * by_x;
            }
            store(to + i, d);
            const Float clipped = minimum(broadcast(1.0f), maximum(zero(), rendered)) - photo;
            l1_sum += absolute(error);
            mse_sum = multiply_add(clipped, clipped, mse_sum);
          }
          std::fill(to + width, to + stride, 0.0f);
          rows_[static_cast<std::size_t>(index)].l1 = sum_lanes(l1_sum);
          rows_[static_cast<std::size_t>(index)].mse = sum_lanes(mse_sum);
        }
      });
  return {mean(&RowSums::l1, image), structural ? mean(&RowSums::ssim, image) : 0.0,
          mean(&RowSums::mse, image)};
}

}  // namespace splat
