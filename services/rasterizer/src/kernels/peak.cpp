#include "peak.hpp"

#include "simd.hpp"

namespace splat {

double spin_multiply_add(std::int64_t rounds) {
  // Enough independent sums to hide the latency of one on two pipes, few enough to stay in registers.
  constexpr int kSums = 10;
  Float sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = broadcast(static_cast<float>(i));
  const Float factor = broadcast(0.5f), term = broadcast(1.0f);
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (Float& sum : sums) sum = opaque(multiply_add(sum, factor, term));
  }
  return 2.0 * kSums * kLanes * static_cast<double>(rounds);
}

}  // namespace splat
