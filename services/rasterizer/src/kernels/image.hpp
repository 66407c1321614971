// Planar float images with rows padded to whole vectors.
#pragma once

#include <cstdint>

#include "aligned.hpp"
#include "layout.hpp"

namespace splat {

// float[planes][height][stride]. Columns from `width` to `stride` are zero wherever a kernel reads them.
class Planes {
 public:
  void resize(int planes, int width, int height) {
    this->width = width;
    this->height = height;
    stride = static_cast<int>(round_up(width, kTile));
    data_.resize(static_cast<std::int64_t>(planes) * height * stride);
  }

  float* row(int plane, int y) {
    return data_.data() + (static_cast<std::int64_t>(plane) * height + y) * stride;
  }
  const float* row(int plane, int y) const {
    return data_.data() + (static_cast<std::int64_t>(plane) * height + y) * stride;
  }

  int width = 0, height = 0, stride = 0;

 private:
  Scratch<float> data_;
};

}  // namespace splat
