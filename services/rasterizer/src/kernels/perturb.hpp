// Random moves of the means, by which 3DGS-MCMC explores.
#pragma once

#include <cstdint>

#include "thread_pool.hpp"

namespace splat {

// mean += Sigma xi * sigmoid(-100 (opacity - 0.005)) * length for each of `count` Gaussians, with Sigma its
// covariance and xi standard normal numbers that depend on `seed` and the Gaussian's index alone.
void perturb(ThreadPool& pool, float* parameters, std::int64_t count, float length, std::uint64_t seed);

}  // namespace splat
