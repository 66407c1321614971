// Rotations of Gaussians.
#pragma once

#include "layout.hpp"
#include "simd.hpp"

namespace splat {

// The rotation of kLanes Gaussians whose parameters start at `p`, from their quaternions.
struct Rotation {
  explicit Rotation(const float* p) {
    Float norm2 = broadcast(1e-20f);
    for (int i = 0; i < 4; ++i) {
      quat[i] = load(p + (kQuat + i) * kBlock);
      norm2 += quat[i] * quat[i];
    }
    inverse_norm = 1.0f / square_root(norm2);
    for (Float& q : quat) q *= inverse_norm;
    const Float w = quat[0], x = quat[1], y = quat[2], z = quat[3];
    matrix[0] = 1.0f - 2.0f * (y * y + z * z);
    matrix[1] = 2.0f * (x * y - w * z);
    matrix[2] = 2.0f * (x * z + w * y);
    matrix[3] = 2.0f * (x * y + w * z);
    matrix[4] = 1.0f - 2.0f * (x * x + z * z);
    matrix[5] = 2.0f * (y * z - w * x);
    matrix[6] = 2.0f * (x * z - w * y);
    matrix[7] = 2.0f * (y * z + w * x);
    matrix[8] = 1.0f - 2.0f * (x * x + y * y);
  }

  Float quat[4];       // wxyz, normalised
  Float inverse_norm;  // 1 / |quaternion|
  Float matrix[9];     // row-major
};

}  // namespace splat
