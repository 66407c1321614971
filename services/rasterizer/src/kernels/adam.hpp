// The Adam optimizer on one block of Gaussians (Kingma and Ba, "Adam: A Method for Stochastic Optimization",
// 2015).
#pragma once

#include <cstdint>

#include "layout.hpp"

namespace splat {

constexpr float kBeta1 = 0.9f, kBeta2 = 0.999f, kEpsilon = 1e-15f;

struct AdamState {
  float* first;  // moments, blocks as in layout.hpp
  float* second;
  float rates[kRows];  // learning rate of each row, already divided by 1 - beta1^t
  float second_scale;  // 1 / sqrt(1 - beta2^t)
};

// One step of `rows` rows of the block at `offset` floats into parameters and moments. Gaussians that were
// not seen take part with a zero gradient, as in every dense Adam.
void adam_step(const AdamState& adam, std::int64_t offset, int rows, const float* gradient,
               float* parameters);

}  // namespace splat
