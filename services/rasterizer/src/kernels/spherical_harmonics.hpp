// Real spherical harmonics up to degree 3, in the order and with the signs of 3D Gaussian splatting
// (Kerbl et al. 2023; Sloan, "Efficient Spherical Harmonic Evaluation", JCGT 2013).
#pragma once

#include "simd.hpp"

namespace splat {

constexpr float kShC0 = 0.28209479177387814f;

// The basis functions beyond band 0 for a unit direction; (kDegree + 1)^2 - 1 of them are written.
template <int kDegree>
inline void sh_basis(Float x, Float y, Float z, Float* basis) {
  if constexpr (kDegree >= 1) {
    basis[0] = -0.4886025119029199f * y;
    basis[1] = 0.4886025119029199f * z;
    basis[2] = -0.4886025119029199f * x;
  }
  const Float xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
  if constexpr (kDegree >= 2) {
    basis[3] = 1.0925484305920792f * xy;
    basis[4] = -1.0925484305920792f * yz;
    basis[5] = 0.31539156525252005f * (2.0f * zz - xx - yy);
    basis[6] = -1.0925484305920792f * xz;
    basis[7] = 0.5462742152960396f * (xx - yy);
  }
  if constexpr (kDegree >= 3) {
    basis[8] = -0.5900435899266435f * y * (3.0f * xx - yy);
    basis[9] = 2.890611442640554f * xy * z;
    basis[10] = -0.4570457994644658f * y * (4.0f * zz - xx - yy);
    basis[11] = 0.3731763325901154f * z * (2.0f * zz - 3.0f * xx - 3.0f * yy);
    basis[12] = -0.4570457994644658f * x * (4.0f * zz - xx - yy);
    basis[13] = 1.445305721320277f * z * (xx - yy);
    basis[14] = -0.5900435899266435f * x * (xx - 3.0f * yy);
  }
}

}  // namespace splat
