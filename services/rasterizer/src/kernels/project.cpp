// Projection of Gaussians and its gradient, kLanes Gaussians at a time.
//
// Zwicker et al., "EWA Volume Splatting", 2001, as used by Kerbl et al., "3D Gaussian Splatting for Real-Time
// Radiance Field Rendering", 2023. With R the Gaussian's rotation, S its scales, W the camera's rotation and
// J the Jacobian of the perspective projection at the mean, the image-plane covariance is U U^T + 0.3 I with
// U = (J W) R S.
//
// - J is taken at x/z and y/z clamped to the image enlarged by 15 %, as in gsplat: outside, the affine
//   approximation is wild. Where the clamp acts, no gradient passes through it.
// - det(U U^T + e I) = |u0 x u1|^2 + e (|u0|^2 + |u1|^2) + e^2 (Lagrange's identity), in which thin Gaussians
//   lose no digits to cancellation. It must be finite in float32, so an image-plane sigma beyond about 4e9
//   pixels is not drawn.
// - Colours depend on the direction from the camera to the mean; the gradient does not flow back through that
//   direction ("detached"). Its effect is small and it is left out by other trainers, too.
#include "project.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>

#include "rotation.hpp"
#include "simd.hpp"
#include "spherical_harmonics.hpp"

namespace splat {
namespace {

constexpr float kNear = 0.01f;         // world units
constexpr float kLowPass = 0.3f;       // added to the covariance, square pixels
constexpr float kClampMargin = 0.15f;  // of the image size
constexpr float kLog2e = 1.44269504f, kLn2 = 0.69314718f;
constexpr float kLeastArea = 1e-30f;     // of a Gaussian that the low pass makes invisible, after / before
constexpr float kWhitenU = 1.17741002f;  // sqrt(2 ln 2)

// Bounds of x/z and y/z for the Jacobian.
struct Frustum {
  explicit Frustum(const Camera& c)
      : x_min(-(c.cx + kClampMargin * static_cast<float>(c.width)) / c.fx),
        x_max((static_cast<float>(c.width) - c.cx + kClampMargin * static_cast<float>(c.width)) / c.fx),
        y_min(-(c.cy + kClampMargin * static_cast<float>(c.height)) / c.fy),
        y_max((static_cast<float>(c.height) - c.cy + kClampMargin * static_cast<float>(c.height)) / c.fy) {}
  float x_min, x_max, y_min, y_max;
};

// Everything between parameters and image-plane covariance that either pass needs.
struct Geometry {
  explicit Geometry(const float* parameters) : rotation(parameters) {}

  Rotation rotation;
  Float camera_z, inverse_z;   // z clamped to the near plane in the inverse
  Float slope_x, slope_y;      // x/z, y/z
  Float clamped_x, clamped_y;  // the same, inside the frustum
  Float scale[3];
  Float jacobian_world[6];        // J W
  Float projected_axes[6];        // J W R
  Float u[6];                     // J W R S
  Float cross[3], area2;          // of the two rows of U, and its square: the determinant without low pass
  Float xx, xy, yy, determinant;  // covariance, low pass included
  Float direction[3];             // camera to mean, unit length
};

[[gnu::always_inline]] inline Geometry project_geometry(const float* p, const Camera& c,
                                                        const Frustum& frustum) {
  Geometry g(p);
  const Float x = load(p), y = load(p + kBlock), z = load(p + 2 * kBlock);
  const float* w = c.rotation;
  const Float camera_x = w[0] * x + w[1] * y + w[2] * z + c.translation[0];
  const Float camera_y = w[3] * x + w[4] * y + w[5] * z + c.translation[1];
  g.camera_z = w[6] * x + w[7] * y + w[8] * z + c.translation[2];

  const Float to_x = x - c.position[0], to_y = y - c.position[1], to_z = z - c.position[2];
  const Float inverse_distance = 1.0f / square_root(to_x * to_x + to_y * to_y + to_z * to_z + 1e-20f);
  g.direction[0] = to_x * inverse_distance;
  g.direction[1] = to_y * inverse_distance;
  g.direction[2] = to_z * inverse_distance;

  for (int axis = 0; axis < 3; ++axis) g.scale[axis] = exponential(load(p + (kLogScale + axis) * kBlock));

  const Float* r = g.rotation.matrix;
  g.inverse_z = 1.0f / maximum(broadcast(kNear), g.camera_z);
  g.slope_x = camera_x * g.inverse_z;
  g.slope_y = camera_y * g.inverse_z;
  g.clamped_x = minimum(broadcast(frustum.x_max), maximum(broadcast(frustum.x_min), g.slope_x));
  g.clamped_y = minimum(broadcast(frustum.y_max), maximum(broadcast(frustum.y_min), g.slope_y));
  const Float j00 = c.fx * g.inverse_z, j02 = -j00 * g.clamped_x;
  const Float j11 = c.fy * g.inverse_z, j12 = -j11 * g.clamped_y;
  Float* v = g.jacobian_world;
  for (int i = 0; i < 3; ++i) {
    v[i] = j00 * w[i] + j02 * w[6 + i];
    v[3 + i] = j11 * w[3 + i] + j12 * w[6 + i];
  }
  Float* k = g.projected_axes;
  for (int i = 0; i < 3; ++i) {
    k[i] = v[0] * r[i] + v[1] * r[3 + i] + v[2] * r[6 + i];
    k[3 + i] = v[3] * r[i] + v[4] * r[3 + i] + v[5] * r[6 + i];
    g.u[i] = k[i] * g.scale[i];
    g.u[3 + i] = k[3 + i] * g.scale[i];
  }
  const Float* u = g.u;
  const Float norm_x = u[0] * u[0] + u[1] * u[1] + u[2] * u[2];
  const Float norm_y = u[3] * u[3] + u[4] * u[4] + u[5] * u[5];
  g.cross[0] = u[1] * u[5] - u[2] * u[4];
  g.cross[1] = u[2] * u[3] - u[0] * u[5];
  g.cross[2] = u[0] * u[4] - u[1] * u[3];
  g.area2 = g.cross[0] * g.cross[0] + g.cross[1] * g.cross[1] + g.cross[2] * g.cross[2];
  g.xx = norm_x + kLowPass;
  g.yy = norm_y + kLowPass;
  g.xy = u[0] * u[3] + u[1] * u[4] + u[2] * u[5];
  g.determinant = g.area2 + kLowPass * (norm_x + norm_y) + kLowPass * kLowPass;
  return g;
}

// Colour before the cut at zero: 0.5 + sum of coefficients times basis.
template <int kDegree>
inline void raw_colour(const float* p, const Float* basis, Float (&colour)[3]) {
  for (int channel = 0; channel < 3; ++channel) {
    Float value = kShC0 * load(p + (kSh0 + channel) * kBlock) + 0.5f;
    for (int k = 0; k < (kDegree + 1) * (kDegree + 1) - 1; ++k) {
      value += basis[k] * load(p + (kShN + 3 * k + channel) * kBlock);
    }
    colour[channel] = value;
  }
}

// Lanes whose value is NaN or an infinity.
inline std::uint32_t not_finite(Float value) { return ~bits(less_equal(absolute(value - value), zero())); }

constexpr std::uint32_t kAllLanes = (1u << kLanes) - 1;

template <int kDegree>
std::int64_t project_block(const float* p, int live, const Camera& c, const Frustum& frustum,
                           bool antialiased, Projected* projected, std::uint8_t* visible) {
  constexpr int kFields = sizeof(Projected) / sizeof(float);
  alignas(kCacheLine) float fields[kFields][kBlock];
  std::int64_t defects = 0;
  for (int lane = 0; lane < kBlock; lane += kLanes) {
    const float* at = p + lane;
    const Geometry g = project_geometry(at, c, frustum);
    const Float logit = load(at + kOpacity * kBlock);
    Float log2_opacity = -logarithm2(1.0f + exponential(-logit));
    if (antialiased) {
      log2_opacity += 0.5f * logarithm2(maximum(broadcast(kLeastArea), g.area2 / g.determinant));
    }
    const Float mean_x = c.fx * g.slope_x + c.cx, mean_y = c.fy * g.slope_y + c.cy;
    // Where alpha falls to 1/255: squared distance in sigmas.
    const Float reach = maximum(zero(), 2.0f * kLn2 * (log2_opacity - kLog2AlphaMin));
    const Float extent_x = square_root(reach * g.xx), extent_y = square_root(reach * g.yy);
    const Float skew_x = square_root(0.5f * kLog2e * g.yy / g.determinant);
    const Float basis_x = g.direction[0], basis_y = g.direction[1], basis_z = g.direction[2];
    Float basis[15], colour[3];
    sh_basis<kDegree>(basis_x, basis_y, basis_z, basis);
    raw_colour<kDegree>(at, basis, colour);

    const Float values[kFields] = {mean_x,
                                   mean_y,
                                   skew_x,
                                   -skew_x * g.xy / g.yy,
                                   0.5f * kLog2e / g.yy,
                                   log2_opacity,
                                   maximum(zero(), colour[0]),
                                   maximum(zero(), colour[1]),
                                   maximum(zero(), colour[2]),
                                   extent_x,
                                   extent_y,
                                   g.camera_z};
    for (int field = 0; field < kFields; ++field) store(fields[field] + lane, values[field]);

    const std::uint32_t drawn = bits(less(broadcast(kNear), g.camera_z)) & bits(less(zero(), reach)) &
                                ~not_finite(g.determinant) & ~not_finite(mean_x + mean_y) &
                                bits(less(zero(), mean_x + extent_x)) &
                                bits(less(mean_x - extent_x, broadcast(static_cast<float>(c.width)))) &
                                bits(less(zero(), mean_y + extent_y)) &
                                bits(less(mean_y - extent_y, broadcast(static_cast<float>(c.height))));
    Float sum = colour[0] + colour[1] + colour[2];
    for (int row = 0; row < kSh0; ++row) sum += load(at + row * kBlock);
    const std::uint32_t exists = lane >= live            ? 0u
                                 : live - lane >= kLanes ? kAllLanes
                                                         : (1u << (live - lane)) - 1;
    defects += __builtin_popcount(not_finite(sum) & exists);
    for (int i = 0; i < kLanes; ++i) visible[lane + i] = (drawn & exists) >> i & 1;
  }
  for (int i = 0; i < live; ++i) {
    if (!visible[i]) continue;
    float record[kFields];
    for (int field = 0; field < kFields; ++field) record[field] = fields[field][i];
    std::memcpy(static_cast<void*>(projected + i), record, sizeof record);
  }
  return defects;
}

// dL/d(geometry) of kLanes Gaussians from the sums over their pixels (layout.hpp, Moment). Writes the
// gradients of the first 11 rows and returns the gradient of the mean in pixels.
struct MeanGradient {
  Float x, y;
};

[[gnu::always_inline]] inline MeanGradient geometry_backward(const Geometry& g, const Camera& c,
                                                             bool antialiased, Float logit,
                                                             const Float* moment, Float* gradient) {
  // With the whitening W = [[w00, w01], [0, w11]], W C W^T = I, and w = W d for an offset d from the mean,
  // log alpha = log o - |w|^2 / 2. The moments are those of w up to factors: u = sqrt(log2(e) / 2) w_0, dy =
  // w_1 / w11.
  const Float inverse_yy = 1.0f / g.yy;
  const Float w11 = square_root(inverse_yy);
  const Float w00 = square_root(g.yy / g.determinant), w01 = -w00 * g.xy * inverse_yy;
  const Float m0 = moment[kSumU] * kWhitenU, m1 = moment[kSumY] * w11;
  const Float m01 = moment[kSumUY] * kWhitenU * w11;
  Float m00 = moment[kSumUU] * (kWhitenU * kWhitenU), m11 = moment[kSumYY] * inverse_yy;
  const Float mean_x = w00 * m0, mean_y = w01 * m0 + w11 * m1;

  // dL/dC = W^T M W / 2 and C = U U^T + 0.3 I, so dL/dU = W^T M (W U). U = A S with A = V R (the projected
  // axes) and V = J times the camera's rotation.
  const Float *r = g.rotation.matrix, *v = g.jacobian_world, *axes = g.projected_axes;
  //
  // Antialiased, the opacity holds sqrt(|c|^2 / det C) with c = a x b, the rows of U. With p the sum of
  // dL/d(log alpha), dL/dU gets p [b x c, c x a] / |c|^2 and M becomes M - p.
  const Float by_area = antialiased ? moment[kSum] / g.area2 : zero();
  if (antialiased) {
    m00 -= moment[kSum];
    m11 -= moment[kSum];
  }
  Float d_axes[6];
  for (int i = 0; i < 3; ++i) {
    const Float white_0 = w00 * g.u[i] + w01 * g.u[3 + i], white_1 = w11 * g.u[3 + i];
    const Float m_0 = m00 * white_0 + m01 * white_1, m_1 = m01 * white_0 + m11 * white_1;
    Float u0 = w00 * m_0, u1 = w01 * m_0 + w11 * m_1;
    if (antialiased) {
      const int j = (i + 1) % 3, k = (i + 2) % 3;
      u0 += by_area * (g.u[3 + j] * g.cross[k] - g.u[3 + k] * g.cross[j]);
      u1 += by_area * (g.cross[j] * g.u[k] - g.cross[k] * g.u[j]);
    }
    gradient[kLogScale + i] = (u0 * axes[i] + u1 * axes[3 + i]) * g.scale[i];
    d_axes[i] = u0 * g.scale[i];
    d_axes[3 + i] = u1 * g.scale[i];
  }

  Float d_r[9], d_v[6];
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) d_r[3 * i + j] = v[i] * d_axes[j] + v[3 + i] * d_axes[3 + j];
    d_v[i] = d_axes[0] * r[3 * i] + d_axes[1] * r[3 * i + 1] + d_axes[2] * r[3 * i + 2];
    d_v[3 + i] = d_axes[3] * r[3 * i] + d_axes[4] * r[3 * i + 1] + d_axes[5] * r[3 * i + 2];
  }

  const Float *q = g.rotation.quat, qw = q[0], qx = q[1], qy = q[2], qz = q[3];
  const Float sum_01 = d_r[1] + d_r[3], sum_02 = d_r[2] + d_r[6], sum_12 = d_r[5] + d_r[7];
  const Float skew_x = d_r[7] - d_r[5], skew_y = d_r[2] - d_r[6], skew_z = d_r[3] - d_r[1];
  const Float d_quat[4] = {
      2.0f * (qx * skew_x + qy * skew_y + qz * skew_z),
      2.0f * (qw * skew_x - 2.0f * qx * (d_r[4] + d_r[8]) + qy * sum_01 + qz * sum_02),
      2.0f * (qw * skew_y + qx * sum_01 - 2.0f * qy * (d_r[0] + d_r[8]) + qz * sum_12),
      2.0f * (qw * skew_z + qx * sum_02 + qy * sum_12 - 2.0f * qz * (d_r[0] + d_r[4])),
  };
  // Only the part across the quaternion survives its normalisation.
  const Float along = d_quat[0] * qw + d_quat[1] * qx + d_quat[2] * qy + d_quat[3] * qz;
  for (int i = 0; i < 4; ++i) gradient[kQuat + i] = (d_quat[i] - along * q[i]) * g.rotation.inverse_norm;

  // V = J W, J = [[fx/z, 0, -fx cx/z], [0, fy/z, -fy cy/z]] with (cx, cy) the clamped slopes.
  const float* w = c.rotation;
  const Float d_j00 = d_v[0] * w[0] + d_v[1] * w[1] + d_v[2] * w[2];
  const Float d_j02 = d_v[0] * w[6] + d_v[1] * w[7] + d_v[2] * w[8];
  const Float d_j11 = d_v[3] * w[3] + d_v[4] * w[4] + d_v[5] * w[5];
  const Float d_j12 = d_v[3] * w[6] + d_v[4] * w[7] + d_v[5] * w[8];
  const Float iz = g.inverse_z;
  const Float jx = c.fx * iz * iz * d_j02, jy = c.fy * iz * iz * d_j12;
  const Float free_x =
      select(less(g.clamped_x, g.slope_x) | less(g.slope_x, g.clamped_x), zero(), broadcast(1.0f));
  const Float free_y =
      select(less(g.clamped_y, g.slope_y) | less(g.slope_y, g.clamped_y), zero(), broadcast(1.0f));
  const Float d_x = c.fx * iz * mean_x - jx * free_x;
  const Float d_y = c.fy * iz * mean_y - jy * free_y;
  const Float d_z = jx * g.clamped_x * (1.0f + free_x) + jy * g.clamped_y * (1.0f + free_y) -
                    (c.fx * d_j00 + c.fy * d_j11) * iz * iz -
                    (c.fx * g.slope_x * mean_x + c.fy * g.slope_y * mean_y) * iz;
  for (int i = 0; i < 3; ++i) gradient[kMean + i] = w[i] * d_x + w[3 + i] * d_y + w[6 + i] * d_z;

  // d(log o)/d(logit) = 1 - o.
  gradient[kOpacity] = moment[kSum] / (1.0f + exponential(logit));
  return {mean_x, mean_y};
}

template <int kDegree>
void backward_block(const float* p, const Camera& c, const Frustum& frustum, bool antialiased,
                    const std::uint8_t* visible, const float (&moments)[kMoments][kBlock], float* gradient,
                    float* grad2d, float* views) {
  constexpr int kBands = (kDegree + 1) * (kDegree + 1) - 1;
  alignas(kCacheLine) float mask[kBlock];
  for (int i = 0; i < kBlock; ++i) mask[i] = static_cast<float>(visible[i]);
  for (int lane = 0; lane < kBlock; lane += kLanes) {
    const float* at = p + lane;
    const Float weight = load(mask + lane);
    const Mask seen = less(zero(), weight);
    Float moment[kMoments];
    for (int i = 0; i < kMoments; ++i) moment[i] = load(moments[i] + lane);

    // Lanes of Gaussians that are not seen may hold NaN on the way (a mean in the camera's plane): blended
    // out.
    const Geometry g = project_geometry(at, c, frustum);
    Float out[kSh0];
    const MeanGradient mean = geometry_backward(g, c, antialiased, load(at + kOpacity * kBlock), moment, out);
    for (int row = 0; row < kSh0; ++row) store(gradient + row * kBlock + lane, keep(seen, out[row]));

    Float basis[15], colour[3];
    sh_basis<kDegree>(g.direction[0], g.direction[1], g.direction[2], basis);
    raw_colour<kDegree>(at, basis, colour);
    for (int channel = 0; channel < 3; ++channel) {
      const Float d = keep(less(zero(), colour[channel]), keep(seen, moment[kRed + channel]));
      store(gradient + (kSh0 + channel) * kBlock + lane, kShC0 * d);
      for (int k = 0; k < kBands; ++k) {
        store(gradient + (kShN + 3 * k + channel) * kBlock + lane, basis[k] * d);
      }
    }

    const Float scaled_x = mean.x * (0.5f * static_cast<float>(c.width));
    const Float scaled_y = mean.y * (0.5f * static_cast<float>(c.height));
    const Float norm = keep(seen, square_root(scaled_x * scaled_x + scaled_y * scaled_y));
    store(grad2d + lane, load(grad2d + lane) + norm);
    store(views + lane, load(views + lane) + weight);
  }
}

// Calls `body` with the degree as a compile-time constant.
template <typename Body>
void with_degree(int sh_degree, const Body& body) {
  switch (sh_degree) {
    case 0:
      return body(std::integral_constant<int, 0>{});
    case 1:
      return body(std::integral_constant<int, 1>{});
    case 2:
      return body(std::integral_constant<int, 2>{});
    default:
      return body(std::integral_constant<int, 3>{});
  }
}

constexpr std::int64_t kBlocksPerTask = 16;

}  // namespace

std::int64_t project(ThreadPool& pool, const float* parameters, std::int64_t count, const Camera& camera,
                     int sh_degree, bool antialiased, Projected* projected, std::uint8_t* visible) {
  const Frustum frustum(camera);
  std::atomic<std::int64_t> defects{0};
  with_degree(sh_degree, [&](auto degree) {
    pool.for_ranges(block_count(count), kBlocksPerTask, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t found = 0;
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t first = block * kBlock;
        const int live = static_cast<int>(std::min<std::int64_t>(kBlock, count - first));
        found += project_block<degree.value>(parameters + block * kBlockFloats, live, camera, frustum,
                                             antialiased, projected + first, visible + first);
      }
      defects += found;
    });
  });
  return defects;
}

void project_backward(ThreadPool& pool, float* parameters, std::int64_t count, const Camera& camera,
                      int sh_degree, bool antialiased, const std::uint8_t* visible, const Slots* slots,
                      const float* moments, const Penalties& penalties, double* penalty_sums,
                      const AdamState& adam, const StatisticsRows& statistics, float* gradient) {
  const Frustum frustum(camera);
  const int rows = active_rows(sh_degree);
  with_degree(sh_degree, [&](auto degree) {
    pool.for_ranges(block_count(count), kBlocksPerTask, [&](std::int64_t begin, std::int64_t end) {
      alignas(kCacheLine) float block_gradient[kBlockFloats];
      alignas(kCacheLine) float sums[kMoments][kBlock];
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t first = block * kBlock;
        float* target = gradient == nullptr ? block_gradient : gradient + block * kBlockFloats;
        bool seen = false;
        for (int i = 0; i < kBlock; ++i) {
          float total[kMoments] = {};
          if (visible[first + i]) {
            seen = true;
            const Slots& own = slots[first + i];
            for (std::int32_t slot = own.begin; slot < own.end; ++slot) {
              for (int k = 0; k < kMoments; ++k)
                total[k] += moments[static_cast<std::int64_t>(slot) * kMoments + k];
            }
          }
          for (int k = 0; k < kMoments; ++k) sums[k][i] = total[k];
        }
        if (seen) {
          backward_block<degree.value>(parameters + block * kBlockFloats, camera, frustum, antialiased,
                                       visible + first, sums, target, statistics.grad2d + first,
                                       statistics.views + first);
        } else {
          std::memset(target, 0, sizeof(float) * static_cast<std::size_t>(rows) * kBlock);
        }
        const int live = static_cast<int>(std::min<std::int64_t>(kBlock, count - first));
        penalty_sums[block] = add_penalties(penalties, parameters + block * kBlockFloats, live, target);
        if (gradient == nullptr) adam_step(adam, block * kBlockFloats, rows, target, parameters);
      }
    });
  });
}

}  // namespace splat
