// The camera as the kernels see it: float32, row-major rotation, OpenCV axes (x right, y down, z forward).
#pragma once

namespace splat {

struct Camera {
  float rotation[9];     // world to camera
  float translation[3];  // world to camera
  float position[3];     // the centre in world coordinates
  float fx, fy, cx, cy;  // pixels
  int width, height;     // pixels
};

}  // namespace splat
