// How well a photo's neighbours agree with it, pixel by pixel, on each of a family of planes.
#pragma once

namespace splat {

constexpr int kWindow = 7;  // pixels a side that are compared around a pixel

// A picture of one channel, row by row. NaN marks pixels that are not to be looked at.
struct Grey {
  const float* pixels;
  int width, height;
};

// For every pixel of `photo` finds the plane on which the neighbours fit best.
//
// homographies: [planes][neighbours][9], row-major; each takes positions in the photo to positions in that
// neighbour by way of that plane, pixel centres at +0.5.
// plane: [height][width], the best plane's index, between two planes where the scores say so.
// score: [height][width], the mean of the two best neighbours' normalised cross-correlations on that plane,
// in -1 .. 1. One that can not be compared counts as -1; where `count` is 1, it is that neighbour's alone.
void plane_sweep(const Grey& photo, const Grey* neighbours, int count, const float* homographies, int planes,
                 float* plane, float* score);

}  // namespace splat
