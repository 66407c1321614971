// Planar images with rows padded to whole tiles.
#pragma once

#include <cstdint>

#include "aligned.hpp"
#include "layout.hpp"
#include "thread_pool.hpp"

namespace splat {

// T[planes][height][stride]. Columns from `width` to `stride` are zero wherever a kernel reads them.
template <typename T>
class PlanesOf {
 public:
  void resize(int planes, int width, int height) {
    this->width = width;
    this->height = height;
    stride = static_cast<int>(round_up(width, kTile));
    data_.resize(static_cast<std::int64_t>(planes) * height * stride);
  }

  T* row(int plane, int y) { return data_.data() + (static_cast<std::int64_t>(plane) * height + y) * stride; }
  const T* row(int plane, int y) const {
    return data_.data() + (static_cast<std::int64_t>(plane) * height + y) * stride;
  }

  int width = 0, height = 0, stride = 0;

 private:
  Scratch<T> data_;
};

using Planes = PlanesOf<float>;
using BytePlanes = PlanesOf<std::uint8_t>;

// Copies an image between interleaved [height][width][3] and planes; padding columns become zero.
void to_planes(ThreadPool& pool, const std::uint8_t* rgb, int width, int height, BytePlanes& planes);
void to_planes(ThreadPool& pool, const float* rgb, int width, int height, Planes& planes);
void from_planes(ThreadPool& pool, const Planes& planes, float* rgb);

}  // namespace splat
