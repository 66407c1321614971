#include "adam.hpp"

#include "simd.hpp"

namespace splat {

void adam_step(const AdamState& adam, std::int64_t offset, int rows, const float* gradient,
               float* parameters) {
  float* first_block = adam.first + offset;
  float* second_block = adam.second + offset;
  float* parameter_block = parameters + offset;
  for (int row = 0; row < rows; ++row) {
    const Float rate = broadcast(adam.rates[row]);
    for (int lane = 0; lane < kBlock; lane += kLanes) {
      const std::int64_t at = static_cast<std::int64_t>(row) * kBlock + lane;
      const Float g = load(gradient + at);
      const Float first = load(first_block + at) * kBeta1 + g * (1.0f - kBeta1);
      const Float second = load(second_block + at) * kBeta2 + g * g * (1.0f - kBeta2);
      const Float denominator = square_root(second) * adam.second_scale + kEpsilon;
      store(first_block + at, first);
      store(second_block + at, second);
      store(parameter_block + at, load(parameter_block + at) - rate * first / denominator);
    }
  }
}

}  // namespace splat
