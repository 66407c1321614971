#include "penalties.hpp"

#include "simd.hpp"

namespace splat {

double add_penalties(const Penalties& penalties, const float* parameters, int live, float* gradient) {
  double sum = 0;
  if (penalties.opacity == 0.0f && penalties.scale == 0.0f) return sum;
  for (int lane = 0; lane < live; lane += kLanes) {
    const Mask exists = less(lane_indices(), broadcast(static_cast<float>(live - lane)));
    const auto add = [&](int row, Float slope) {
      float* to = gradient + row * kBlock + lane;
      store(to, load(to) + keep(exists, slope));
    };
    const Float opacity = 1.0f / (1.0f + exponential(-load(parameters + kOpacity * kBlock + lane)));
    add(kOpacity, penalties.opacity * opacity * (1.0f - opacity));
    Float cost = penalties.opacity * opacity;
    for (int axis = 0; axis < 3; ++axis) {
      const int row = kLogScale + axis;
      const Float scale = penalties.scale * exponential(load(parameters + row * kBlock + lane));
      add(row, scale);
      cost += scale;
    }
    sum += sum_lanes(keep(exists, cost));
  }
  return sum;
}

}  // namespace splat
