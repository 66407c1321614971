// What opacities and sizes cost by themselves, as in 3DGS-MCMC (Kheradmand et al. 2024, equation 10).
#pragma once

#include "layout.hpp"

namespace splat {

// Each Gaussian adds opacity * sigmoid(its logit) + scale * (the sum of its three scales) to the loss.
struct Penalties {
  float opacity, scale;
};

// What the `live` Gaussians of the block at `parameters` add to the loss; its derivative is added to
// `gradient`, float[kRows][kBlock].
double add_penalties(const Penalties& penalties, const float* parameters, int live, float* gradient);

}  // namespace splat
