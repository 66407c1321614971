"""Small scenes for the tests: cameras, Gaussians, photos, all from a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats
from tests.unit.rasterizer import reference

BACKGROUND = (0.2, 0.5, 0.7)


def turned_camera(width: int, height: int) -> Camera:
    """A camera near the origin, a little turned, with its principal point off the middle."""
    angle = 0.2
    viewmat = np.eye(4)
    viewmat[:3, :3] = [
        [np.cos(angle), 0, np.sin(angle)],
        [0, 1, 0],
        [-np.sin(angle), 0, np.cos(angle)],
    ]
    viewmat[:3, 3] = [0.1, -0.05, 0.3]
    longest = max(width, height)
    return Camera(
        "test.jpg", viewmat, 0.9 * longest, 0.94 * longest, 0.486 * width, 0.489 * height, width, height
    )


def random_splats(count: int, seed: int = 0, *, spread: float = 1.0) -> Splats:
    """Gaussians in front of `turned_camera`, of all shapes and opacities."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(-spread, spread, (count, 3))
    means[:, 2] = rng.uniform(2, 5, count)
    return Splats(
        means=means.astype(np.float32),
        log_scales=np.log(rng.uniform(0.03, 0.35, (count, 3))).astype(np.float32),
        quats=rng.normal(size=(count, 4)).astype(np.float32),
        opacities=rng.normal(scale=1.5, size=count).astype(np.float32),
        sh0=rng.normal(scale=0.8, size=(count, 3)).astype(np.float32),
        shN=rng.normal(scale=0.15, size=(count, 15, 3)).astype(np.float32),
    )


def random_photo(camera: Camera, seed: int = 1) -> NDArray[np.uint8]:
    """Noise of the camera's size."""
    return np.random.default_rng(seed).integers(0, 256, (camera.height, camera.width, 3), dtype=np.uint8)


def assert_decided(splats: Splats, camera: Camera, *, antialiased: bool = False) -> None:
    """Fails where an alpha or a transmittance lies so near a threshold that float32 may fall on the other
    side.

    It is the scene that is wrong then, not the kernels: choose another seed.
    """
    flat = reference.project(reference.table(splats), camera, 3, antialiased=antialiased)
    assert reference.clearance(flat, camera) > 3e-6
