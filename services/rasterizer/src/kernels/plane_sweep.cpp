// Plane sweeping (Collins, "A Space-Sweep Approach to True Multi-Image Matching", 1996) with normalised
// cross-correlation over a square window.
//
// The photo is worked on in strips of rows, each small enough for everything about it to stay in the cache
// while all planes pass. Windows are summed along columns, then along rows. Whatever is not to be looked at
// is NaN: a sum over it is NaN, too, and a comparison with that is false, so such a window never wins.
#include "plane_sweep.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace splat {
namespace {

constexpr int kRadius = kWindow / 2;
constexpr int kStrip = 32;  // rows
constexpr float kWorst = -1.0f;
constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();
// Least product of two windows' variances, grey levels from 0 to 255: below that they show nothing but noise.
constexpr float kLeastVariances = 1.0f;

// The neighbour's grey at the positions where it sees row `y` of the photo by way of a plane.
void warp_row(const Grey& from, const float* h, int y, int width, float* to) {
  const float v = static_cast<float>(y) + 0.5f;
  const float x0 = h[1] * v + h[2], y0 = h[4] * v + h[5], z0 = h[7] * v + h[8];
  const float last_x = static_cast<float>(from.width - 1), last_y = static_cast<float>(from.height - 1);
  for (int x = 0; x < width; ++x) {
    const float u = static_cast<float>(x) + 0.5f;
    const float z = h[6] * u + z0, inverse = 1.0f / z;
    const float column = (h[0] * u + x0) * inverse - 0.5f, row = (h[3] * u + y0) * inverse - 0.5f;
    if (!(z > 0 && column >= 0 && column < last_x && row >= 0 && row < last_y)) {
      to[x] = kNothing;
      continue;
    }
    const int left = static_cast<int>(column), top = static_cast<int>(row);
    const float along = column - static_cast<float>(left), down = row - static_cast<float>(top);
    const float* upper = from.pixels + static_cast<long>(top) * from.width + left;
    const float* lower = upper + from.width;
    const float above = upper[0] + (upper[1] - upper[0]) * along;
    const float below = lower[0] + (lower[1] - lower[0]) * along;
    to[x] = above + (below - above) * down;
  }
}

// The mean over kWindow values of `values` around each, into `to`; NaN where the window hangs over the end.
void average_along(const float* values, int width, float* to) {
  std::fill_n(to, width, kNothing);
  for (int x = kRadius; x < width - kRadius; ++x) {
    float sum = 0;
    for (int k = -kRadius; k <= kRadius; ++k) sum += values[x + k];
    to[x] = sum * (1.0f / (kWindow * kWindow));
  }
}

// A strip of the photo with as many rows above and below as windows need.
class Strip {
 public:
  Strip(const Grey& photo, int first, int end)
      : photo_(photo),
        first_(first),
        rows_(end - first),
        size_(static_cast<std::size_t>(rows_) * photo.width),
        warped_(static_cast<std::size_t>(rows_ + 2 * kRadius) * photo.width),
        column_(photo.width),
        mean_(size_),
        variance_(size_),
        other_mean_(photo.width),
        other_square_(photo.width),
        product_(photo.width),
        best_(size_),
        second_(size_) {
    for (int y = 0; y < rows_; ++y) {
      float *mean = mean_.data() + at(y), *variance = variance_.data() + at(y);
      average(y, mean, [](float own, float) { return own; });
      average(y, variance, [](float own, float) { return own * own; });
      for (int x = 0; x < photo_.width; ++x) variance[x] -= mean[x] * mean[x];
    }
  }

  // The mean of the two best neighbours' correlations for the pixels of the strip, by way of one plane.
  const float* score(const Grey* neighbours, int count, const float* homographies) {
    std::fill(best_.begin(), best_.end(), kWorst);
    std::fill(second_.begin(), second_.end(), kWorst);
    for (int k = 0; k < count; ++k) {
      for (int y = -kRadius; y < rows_ + kRadius; ++y) {
        warp_row(neighbours[k], homographies + 9 * k, first_ + y, photo_.width, warped(y));
      }
      for (int y = 0; y < rows_; ++y) correlate(y);
    }
    if (count > 1) {
      for (std::size_t i = 0; i < size_; ++i) best_[i] = 0.5f * (best_[i] + second_[i]);
    }
    return best_.data();
  }

  std::size_t size() const { return size_; }

 private:
  std::size_t at(int y) const { return static_cast<std::size_t>(y) * photo_.width; }
  float* warped(int y) { return warped_.data() + at(y + kRadius); }

  // The mean of combine(photo, warped) over the windows around row y.
  template <typename Combine>
  void average(int y, float* to, const Combine& combine) {
    std::fill(column_.begin(), column_.end(), 0.0f);
    for (int k = y - kRadius; k <= y + kRadius; ++k) {
      if (first_ + k < 0 || first_ + k >= photo_.height) {
        std::fill(column_.begin(), column_.end(), kNothing);
        break;
      }
      const float *own = photo_.pixels + at(first_ + k), *other = warped(k);
      for (int x = 0; x < photo_.width; ++x) column_[x] += combine(own[x], other[x]);
    }
    average_along(column_.data(), photo_.width, to);
  }

  void correlate(int y) {
    average(y, other_mean_.data(), [](float, float other) { return other; });
    average(y, other_square_.data(), [](float, float other) { return other * other; });
    average(y, product_.data(), [](float own, float other) { return own * other; });
    const float *mean = mean_.data() + at(y), *variance = variance_.data() + at(y);
    float *best = best_.data() + at(y), *second = second_.data() + at(y);
    for (int x = 0; x < photo_.width; ++x) {
      const float other_variance = other_square_[x] - other_mean_[x] * other_mean_[x];
      const float covariance = product_[x] - mean[x] * other_mean_[x];
      const float found = covariance / std::sqrt(std::max(variance[x] * other_variance, kLeastVariances));
      // Comparisons that are false for NaN.
      const float loser = found > best[x] ? best[x] : found > second[x] ? found : second[x];
      best[x] = found > best[x] ? found : best[x];
      second[x] = loser;
    }
  }

  const Grey photo_;
  const int first_, rows_;
  const std::size_t size_;
  std::vector<float> warped_, column_;
  std::vector<float> mean_, variance_;  // of the photo
  std::vector<float> other_mean_, other_square_, product_;
  std::vector<float> best_, second_;
};

// Where between three neighbouring scores the parabola through them is highest, from the middle one. A plane
// that could not be compared says nothing.
float peak(float before, float at, float after) {
  if (before == kWorst || after == kWorst) return 0;
  const float curvature = before - 2.0f * at + after;
  if (!(curvature < 0)) return 0;
  return std::clamp(0.5f * (before - after) / curvature, -0.5f, 0.5f);
}

}  // namespace

void plane_sweep(const Grey& photo, const Grey* neighbours, int count, const float* homographies, int planes,
                 float* plane, float* score) {
  for (int first = 0; first < photo.height; first += kStrip) {
    Strip strip(photo, first, std::min(first + kStrip, photo.height));
    const std::size_t size = strip.size(), offset = static_cast<std::size_t>(first) * photo.width;
    std::vector<float> previous(size, kWorst), before(size), after(size);
    float *best_plane = plane + offset, *best = score + offset;
    std::fill_n(best, size, kWorst);
    std::fill_n(best_plane, size, 0.0f);
    for (int p = 0; p < planes; ++p) {
      const float* now = strip.score(neighbours, count, homographies + 9L * p * count);
      const float index = static_cast<float>(p);
      for (std::size_t i = 0; i < size; ++i) {
        if (now[i] > best[i]) {
          best[i] = now[i];
          best_plane[i] = index;
          before[i] = previous[i];
          after[i] = kWorst;
        } else if (best_plane[i] == index - 1.0f) {
          after[i] = now[i];
        }
        previous[i] = now[i];
      }
    }
    for (std::size_t i = 0; i < size; ++i) {
      const float found = best_plane[i];
      if (found > 0 && found < static_cast<float>(planes - 1))
        best_plane[i] += peak(before[i], best[i], after[i]);
    }
  }
}

}  // namespace splat
