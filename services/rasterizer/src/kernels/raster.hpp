// Blending the tile lists front to back, and the gradient of the blended image.
#pragma once

#include "bin.hpp"
#include "image.hpp"
#include "layout.hpp"
#include "thread_pool.hpp"

namespace splat {

// Renders into `image` (3 planes of the view's size), which need not be initialised. Padding columns become
// zero.
void rasterize(ThreadPool& pool, const Bins& bins, const Projected* projected, const float (&background)[3],
               Planes& image);

// For each pair, the moments of dL/d(log alpha) and of the colour weights: float[kMoments] at its slot.
// `image` is what `rasterize` rendered, `gradient` is dL/d(image) with zeros in the padding columns.
void rasterize_backward(ThreadPool& pool, const Bins& bins, const Projected* projected, const Planes& image,
                        const Planes& gradient, float* moments);

}  // namespace splat
