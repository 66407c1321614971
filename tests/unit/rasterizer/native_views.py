"""Short ways to the native modules of any instruction set; the public classes use only the one chosen at
import."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats

Colour = tuple[float, float, float]


def native_camera(kernels: ModuleType, camera: Camera) -> Any:
    return kernels.Camera(
        camera.viewmat, camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height
    )


def native_model(kernels: ModuleType, splats: Splats, threads: int = 1, *, antialiased: bool = False) -> Any:
    model = kernels.Model(len(splats), threads, antialiased)
    model.append(splats.means, splats.log_scales, splats.quats, splats.opacities, splats.sh0, splats.shN)
    return model


@dataclass
class NativeResult:
    image: NDArray[np.float32]
    loss: float
    mse: float
    gradient: NDArray[np.float32]  # [59, N]
    exposure_gradient: NDArray[np.float32]  # [3, 4]


def differentiate(
    kernels: ModuleType,
    splats: Splats,
    camera: Camera,
    photo: NDArray[np.uint8],
    *,
    degree: int = 3,
    ssim_weight: float = 0.2,
    penalties: tuple[float, float] = (0, 0),
    background: Colour = (0, 0, 0),
    mask: NDArray[np.uint8] | None = None,
    exposure: NDArray[np.float32] | None = None,
    antialiased: bool = False,
    threads: int = 1,
) -> NativeResult:
    """Image, loss and gradient of one view."""
    model = native_model(kernels, splats, threads, antialiased=antialiased)
    view = native_camera(kernels, camera)
    image = np.empty((camera.height, camera.width, 3), np.float32)
    model.render(view, degree, background, image)
    gradient = np.empty((59, len(splats)), np.float32)
    loss, mse, by_exposure = model.gradient(
        view, degree, background, photo, mask, exposure, (ssim_weight, *penalties), gradient
    )
    return NativeResult(image, loss, mse, gradient, np.array(by_exposure, np.float32).reshape(3, 4))
