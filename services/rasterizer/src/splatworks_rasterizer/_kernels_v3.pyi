from splatworks_rasterizer._kernels_generic import Camera as Camera
from splatworks_rasterizer._kernels_generic import Model as Model
from splatworks_rasterizer._kernels_generic import plane_sweep as plane_sweep
from splatworks_rasterizer._kernels_generic import ssim as ssim
