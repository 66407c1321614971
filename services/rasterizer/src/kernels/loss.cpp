// SSIM with a Gaussian window of 11 x 11 pixels, sigma 1.5, images in 0 .. 1, zeros outside the image ("same"
// size): Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004, as
// every 3DGS trainer computes it.
//
// Four filtered maps suffice: x, y, x^2 + y^2 and x y, since the two variances occur only as their sum. The
// gradient is the transposed filter, which is the same filter, over three maps of derivatives. The window is
// separable.
//
// A strip of rows of one channel streams through three stages: the maps filtered along the row, the
// derivatives filtered along the row, the gradient. Between stages only the last 16 rows are kept, in a ring
// small enough for the cache, so no map is ever there as a whole. What a row comes out as does not depend on
// the strip that it is in.
#include "loss.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <type_traits>

#include "simd.hpp"

namespace splat {
namespace {

constexpr int kTaps = 11, kRadius = kTaps / 2;
constexpr float kC1 = 0.01f * 0.01f, kC2 = 0.03f * 0.03f;

// exp(-d^2 / (2 * 1.5^2)) for d = 0 .. 5, divided by the sum over all eleven.
constexpr float kWindow[kRadius + 1] = {0.26601172486f, 0.21300553771f, 0.10936068951f,
                                        0.03600077213f, 0.00759875814f, 0.00102838008f};

constexpr int kGroup = 4;                     // rows filtered at a time: a row is loaded once for all of them
constexpr int kReach = kGroup + 2 * kRadius;  // rows that a group needs
constexpr int kRing = 16;                     // rows kept between two stages, a power of two
// How many rows the first stage is ahead of the other two: enough for the window to be there, and multiples
// of kGroup after the row where the stage begins.
constexpr int kDerivativeLag = kRadius, kGradientLag = 12;
static_assert(kDerivativeLag + kReach - kRadius <= kRing && kGradientLag >= 2 * kDerivativeLag);
static_assert(kGradientLag - kDerivativeLag + kRadius + kGroup <= kRing && kGradientLag % kGroup == 0);

constexpr int kMinimumStrip = 32;  // rows; a strip repeats the work of about 20 rows of its neighbours
constexpr std::int64_t kRowsPerTask = 8;

// A row with room for the window to hang over on both sides; the overhang is zero.
constexpr int kOverhang = 16;
static_assert(kOverhang >= kRadius + 1 && kOverhang % kLanes == 0);

// Rows in memory of their own, uninitialised but for the overhang.
class RowBuffers {
 public:
  RowBuffers(int count, int stride)
      : pitch_(stride + 2 * kOverhang), data_(new float[static_cast<std::size_t>(count) * pitch_]) {
    for (int index = 0; index < count; ++index) {
      std::fill_n((*this)[index] - kOverhang, kOverhang, 0.0f);
      std::fill_n((*this)[index] + stride, kOverhang, 0.0f);
    }
  }
  // The first pixel of buffer `index`.
  float* operator[](int index) { return data_.get() + static_cast<std::size_t>(index) * pitch_ + kOverhang; }

 private:
  std::size_t pitch_;
  std::unique_ptr<float[]> data_;
};

// The last kRing rows of some maps.
class Ring {
 public:
  Ring(int maps, int stride) : rows_(maps * kRing, stride) {}
  float* row(int map, int y) { return rows_[map * kRing + (y & (kRing - 1))]; }

 private:
  RowBuffers rows_;
};

// The window along a row.
void filter_row(const float* from, int stride, float* to) {
  Float before = load(from - kLanes), at = load(from);
  for (int i = 0; i < stride; i += kLanes) {
    const Float after = load(from + i + kLanes);
    const auto pair = [&](auto d) {
      return load_between<-d.value>(from + i, before, at, after) +
             load_between<d.value>(from + i, before, at, after);
    };
    Float sum = at * kWindow[0];
    sum = multiply_add(pair(std::integral_constant<int, 1>{}), broadcast(kWindow[1]), sum);
    sum = multiply_add(pair(std::integral_constant<int, 2>{}), broadcast(kWindow[2]), sum);
    sum = multiply_add(pair(std::integral_constant<int, 3>{}), broadcast(kWindow[3]), sum);
    sum = multiply_add(pair(std::integral_constant<int, 4>{}), broadcast(kWindow[4]), sum);
    sum = multiply_add(pair(std::integral_constant<int, 5>{}), broadcast(kWindow[5]), sum);
    store(to + i, sum);
    before = at;
    at = after;
  }
}

// The rows that the windows around a group of rows of one map cover.
struct GroupWindow {
  GroupWindow(Ring& ring, int map, int first) {
    for (int k = 0; k < kReach; ++k) rows[k] = ring.row(map, first - kRadius + k);
  }
  // The window across rows at column i, for each row of the group.
  [[gnu::always_inline]] inline void filter(int i, Float (&sums)[kGroup]) const {
    for (Float& sum : sums) sum = zero();
#pragma GCC unroll 14
    for (int k = 0; k < kReach; ++k) {
      const Float value = load(rows[k] + i);
#pragma GCC unroll 4
      for (int y = 0; y < kGroup; ++y) {
        const int distance = k < kRadius + y ? kRadius + y - k : k - kRadius - y;
        if (distance <= kRadius) sums[y] = multiply_add(value, broadcast(kWindow[distance]), sums[y]);
      }
    }
  }
  const float* rows[kReach];
};

// Streams rows of one channel through the stages. load_row(y, x, photo) fills the two rows of that channel;
// similarity(y, sum) is told each row's sum of SSIM, and gradient(y, x, photo, by_x) gets, row by row, the
// derivative of the sum over all pixels with respect to x; without `derivatives` it is never called.
template <bool kDerivatives, typename LoadRow, typename Similarity, typename Gradient>
void structural_strip(int width, int height, int stride, int begin, int end, const LoadRow& load_row,
                      const Similarity& similarity, const Gradient& gradient) {
  Ring maps(4, stride), derivatives(kDerivatives ? 3 : 0, stride);
  RowBuffers inputs(4, stride), outputs(3 * kGroup, stride), compared(2 * kGroup, stride);
  const auto inside = [height](int y) { return y >= 0 && y < height; };

  const auto filter_maps = [&](int y) {
    if (!inside(y)) {
      for (int map = 0; map < 4; ++map) std::fill_n(maps.row(map, y), stride, 0.0f);
      return;
    }
    float *xs = inputs[0], *ys = inputs[1], *squares = inputs[2], *products = inputs[3];
    load_row(y, xs, ys);
    for (int i = 0; i < stride; i += kLanes) {
      const Float x = load(xs + i), photo = load(ys + i);
      store(squares + i, multiply_add(x, x, photo * photo));
      store(products + i, x * photo);
    }
    for (int map = 0; map < 4; ++map) filter_row(inputs[map], stride, maps.row(map, y));
  };

  const auto differentiate = [&](int first) {
    const GroupWindow by_map[4] = {{maps, 0, first}, {maps, 1, first}, {maps, 2, first}, {maps, 3, first}};
    Float sums[kGroup] = {zero(), zero(), zero(), zero()};
    for (int i = 0; i < stride; i += kLanes) {
      const Mask on_image =
          less(lane_indices() + static_cast<float>(i), broadcast(static_cast<float>(width)));
      Float mean_x[kGroup], mean_y[kGroup], squares[kGroup], products[kGroup];
      by_map[0].filter(i, mean_x);
      by_map[1].filter(i, mean_y);
      by_map[2].filter(i, squares);
      by_map[3].filter(i, products);
      for (int y = 0; y < kGroup; ++y) {
        const Float mx = mean_x[y], my = mean_y[y];
        const Float variances = squares[y] - (mx * mx + my * my);
        const Float covariance = products[y] - mx * my;
        const Float a = 2.0f * mx * my + kC1, b = 2.0f * covariance + kC2;
        const Float c = mx * mx + my * my + kC1, d = variances + kC2;
        const Float inverse_c = reciprocal(c), inverse_d = reciprocal(d);
        const Float a_c = a * inverse_c, b_d = b * inverse_d, value = keep(on_image, a_c * b_d);
        sums[y] += value;
        if constexpr (kDerivatives) {
          // The second moments are held fixed in the first: variance and covariance depend on the mean.
          const Float by_mean =
              2.0f * (my * (inverse_c * b_d - a_c * inverse_d) + mx * value * (inverse_d - inverse_c));
          store(outputs[y] + i, keep(on_image, by_mean));
          store(outputs[kGroup + y] + i, -value * inverse_d);
          store(outputs[2 * kGroup + y] + i, keep(on_image, 2.0f * a_c * inverse_d));
        }
      }
    }
    for (int y = 0; y < kGroup; ++y) {
      if (first + y >= begin && first + y < end) similarity(first + y, sum_lanes(sums[y]));
      for (int map = 0; kDerivatives && map < 3; ++map) {
        float* to = derivatives.row(map, first + y);
        if (inside(first + y)) {
          filter_row(outputs[map * kGroup + y], stride, to);
        } else {
          std::fill_n(to, stride, 0.0f);
        }
      }
    }
  };

  const auto finish = [&](int first) {
    const int last = std::min(first + kGroup, end);
    for (int y = first; y < last; ++y) load_row(y, compared[y - first], compared[kGroup + y - first]);
    const GroupWindow by_map[3] = {{derivatives, 0, first}, {derivatives, 1, first}, {derivatives, 2, first}};
    for (int i = 0; i < stride; i += kLanes) {
      Float by_mean[kGroup], by_square[kGroup], by_product[kGroup];
      by_map[0].filter(i, by_mean);
      by_map[1].filter(i, by_square);
      by_map[2].filter(i, by_product);
      for (int y = 0; y < kGroup; ++y) {
        const Float x = load(compared[y] + i), photo = load(compared[kGroup + y] + i);
        store(outputs[y] + i,
              multiply_add(photo, by_product[y], multiply_add(2.0f * x, by_square[y], by_mean[y])));
      }
    }
    for (int y = first; y < last; ++y) {
      gradient(y, compared[y - first], compared[kGroup + y - first], outputs[y - first]);
    }
  };

  for (int y = begin - kGradientLag; y - (kDerivatives ? kGradientLag : kDerivativeLag) < end; y += kGroup) {
    if (y < end + 2 * kRadius) {
      for (int row = y; row < y + kGroup; ++row) filter_maps(row);
    }
    const int middle = y - kDerivativeLag, done = y - kGradientLag;
    if (middle >= begin - kRadius && middle < end + kRadius) differentiate(middle);
    if (kDerivatives && done >= begin) finish(done);
  }
}

}  // namespace

template <typename Body>
void Loss::for_strips(ThreadPool& pool, int height, const Body& body) {
  rows_.assign(static_cast<std::size_t>(3) * static_cast<std::size_t>(height), {});
  const int wanted = pool.threads() == 1 ? 1 : 2 * pool.threads();
  const int strips = std::max(1, std::min(wanted, height / kMinimumStrip));
  pool.for_each(3 * strips, [&](std::int64_t index) {
    const int channel = static_cast<int>(index) / strips, strip = static_cast<int>(index) % strips;
    body(channel, height * strip / strips, height * (strip + 1) / strips);
  });
}

double Loss::sum(double RowSums::* member) const {
  double sum = 0;
  for (const RowSums& row : rows_) sum += row.*member;
  return sum;
}

double Loss::ssim(ThreadPool& pool, const Planes& image, const Planes& target) {
  const int width = image.width, height = image.height;
  for_strips(pool, height, [&](int channel, int begin, int end) {
    RowSums* sums = rows_.data() + static_cast<std::ptrdiff_t>(channel) * height;
    structural_strip<false>(
        width, height, image.stride, begin, end,
        [&](int y, float* x, float* photo) {
          std::copy_n(image.row(channel, y), image.stride, x);
          std::copy_n(target.row(channel, y), image.stride, photo);
        },
        [&](int y, double sum) { sums[y].ssim = sum; }, [](int, const float*, const float*, const float*) {});
  });
  return sum(&RowSums::ssim) / (3.0 * width * height);
}

LossValues Loss::operator()(ThreadPool& pool, const Planes& image, const Photo& photo, float ssim_weight,
                            Planes& gradient) {
  const int width = image.width, height = image.height, stride = image.stride;
  const double scale = 1.0 / (3.0 * width * height);
  const float l1_scale = static_cast<float>((1.0 - ssim_weight) * scale);
  const float ssim_scale = static_cast<float>(-ssim_weight * scale);
  gradient.resize(3, width, height);
  to_planes(pool, photo.rgb, width, height, photo_);

  for_strips(pool, height, [&](int channel, int begin, int end) {
    RowSums* sums = rows_.data() + static_cast<std::ptrdiff_t>(channel) * height;
    const auto mask_row = [&](int y) {
      return photo.mask == nullptr ? nullptr : photo.mask + static_cast<std::ptrdiff_t>(y) * width;
    };
    const auto load_row = [&](int y, float* x, float* target) {
      const std::uint8_t* bytes = photo_.row(channel, y);
      for (int i = 0; i < stride; i += kLanes) store(target + i, load_bytes(bytes + i) * (1.0f / 255.0f));
      if (photo.exposure == nullptr) {
        std::copy_n(image.row(channel, y), stride, x);
      } else {
        const float* map = photo.exposure + 4 * channel;
        const float *red = image.row(0, y), *green = image.row(1, y), *blue = image.row(2, y);
        for (int i = 0; i < width; ++i)
          x[i] = map[0] * red[i] + map[1] * green[i] + map[2] * blue[i] + map[3];
        std::fill(x + width, x + stride, 0.0f);
      }
      if (const std::uint8_t* mask = mask_row(y)) {
        for (int i = 0; i < width; ++i) x[i] = mask[i] != 0 ? x[i] : target[i];
      }
    };
    // `by_x` is the derivative of the SSIM, or null.
    const auto finish_row = [&](int y, const float* x, const float* target, const float* by_x) {
      float* to = gradient.row(channel, y);
      Float l1_sum = zero(), mse_sum = zero();
      for (int i = 0; i < stride; i += kLanes) {
        const Float rendered = load(x + i), photographed = load(target + i), error = rendered - photographed;
        const Float sign = select(less(zero(), error), broadcast(l1_scale),
                                  select(less(error, zero()), broadcast(-l1_scale), error * l1_scale));
        store(to + i, by_x == nullptr ? sign : multiply_add(load(by_x + i), broadcast(ssim_scale), sign));
        const Float clipped = minimum(broadcast(1.0f), maximum(zero(), rendered)) - photographed;
        l1_sum += absolute(error);
        mse_sum = multiply_add(clipped, clipped, mse_sum);
      }
      std::fill(to + width, to + stride, 0.0f);
      int counted = width;
      if (const std::uint8_t* mask = mask_row(y)) {
        for (int i = 0; i < width; ++i) to[i] = mask[i] != 0 ? to[i] : 0.0f;
        counted = static_cast<int>(width - std::count(mask, mask + width, 0));
      }
      sums[y].l1 = sum_lanes(l1_sum);
      sums[y].mse = sum_lanes(mse_sum);
      sums[y].counted = counted;
    };
    if (ssim_weight > 0) {
      structural_strip<true>(
          width, height, stride, begin, end, load_row, [&](int y, double sum) { sums[y].ssim = sum; },
          finish_row);
    } else {
      RowBuffers buffers(2, stride);
      for (int y = begin; y < end; ++y) {
        load_row(y, buffers[0], buffers[1]);
        finish_row(y, buffers[0], buffers[1], nullptr);
      }
    }
  });

  LossValues values{sum(&RowSums::l1) * scale, sum(&RowSums::ssim) * scale, 0.0, {}};
  const double counted = sum(&RowSums::counted);
  if (counted > 0) values.mse = sum(&RowSums::mse) / counted;
  if (photo.exposure != nullptr) {
    values.exposure_gradient = exposure_backward(pool, image, photo.exposure, gradient);
  }
  return values;
}

// From the gradient of the colours compared to that of the render, in place, and of the exposure.
std::array<float, 12> Loss::exposure_backward(ThreadPool& pool, const Planes& image, const float* exposure,
                                              Planes& gradient) {
  exposure_.resize(static_cast<std::size_t>(image.height));
  pool.for_ranges(image.height, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (int y = static_cast<int>(begin); y < end; ++y) {
      Float sums[3][4];
      for (auto& row : sums) std::fill_n(row, 4, zero());
      for (int i = 0; i < image.stride; i += kLanes) {
        Float compared[3];
        for (int channel = 0; channel < 3; ++channel) compared[channel] = load(gradient.row(channel, y) + i);
        for (int channel = 0; channel < 3; ++channel) {
          const Float rendered = load(image.row(channel, y) + i);
          Float by_render = zero();
          for (int k = 0; k < 3; ++k) {
            sums[k][channel] = multiply_add(compared[k], rendered, sums[k][channel]);
            by_render = multiply_add(compared[k], broadcast(exposure[4 * k + channel]), by_render);
          }
          sums[channel][3] += compared[channel];
          store(gradient.row(channel, y) + i, by_render);
        }
      }
      for (int k = 0; k < 12; ++k) exposure_[static_cast<std::size_t>(y)][k] = sum_lanes(sums[k / 4][k % 4]);
    }
  });
  std::array<float, 12> exposure_gradient;
  for (std::size_t k = 0; k < 12; ++k) {
    double sum = 0;
    for (const auto& row : exposure_) sum += row[k];
    exposure_gradient[k] = static_cast<float>(sum);
  }
  return exposure_gradient;
}

}  // namespace splat
