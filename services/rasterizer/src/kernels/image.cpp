#include "image.hpp"

#include <algorithm>

namespace splat {
namespace {

constexpr std::int64_t kRowsPerTask = 16;

template <typename T>
void interleaved_to_planes(ThreadPool& pool, const T* rgb, int width, int height, PlanesOf<T>& planes) {
  planes.resize(3, width, height);
  pool.for_ranges(height, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (int y = static_cast<int>(begin); y < end; ++y) {
      const T* from = rgb + static_cast<std::int64_t>(y) * width * 3;
      T *red = planes.row(0, y), *green = planes.row(1, y), *blue = planes.row(2, y);
      for (int x = 0; x < width; ++x) {
        red[x] = from[3 * x];
        green[x] = from[3 * x + 1];
        blue[x] = from[3 * x + 2];
      }
      for (T* row : {red, green, blue}) std::fill(row + width, row + planes.stride, T{});
    }
  });
}

}  // namespace

void to_planes(ThreadPool& pool, const std::uint8_t* rgb, int width, int height, BytePlanes& planes) {
  interleaved_to_planes(pool, rgb, width, height, planes);
}

void to_planes(ThreadPool& pool, const float* rgb, int width, int height, Planes& planes) {
  interleaved_to_planes(pool, rgb, width, height, planes);
}

void from_planes(ThreadPool& pool, const Planes& planes, float* rgb) {
  pool.for_ranges(planes.height, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (int y = static_cast<int>(begin); y < end; ++y) {
      float* to = rgb + static_cast<std::int64_t>(y) * planes.width * 3;
      const float *red = planes.row(0, y), *green = planes.row(1, y), *blue = planes.row(2, y);
      for (int x = 0; x < planes.width; ++x) {
        to[3 * x] = red[x];
        to[3 * x + 1] = green[x];
        to[3 * x + 2] = blue[x];
      }
    }
  });
}

}  // namespace splat
