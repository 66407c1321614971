"""Random scenes of any SH degree with cameras around them, as the tests of the compressor use them."""

from __future__ import annotations

import numpy as np

from splatworks_common.cameras import Camera
from splatworks_common.splats import SH_REST_BY_DEGREE, Splats


def random_splats(count: int, *, sh_degree: int = 3, seed: int = 0) -> Splats:
    """Visible Gaussians like those of a trained scene, in a cloud around the origin."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, scale: float = 1.0, mean: float = 0.0) -> np.ndarray:
        return rng.normal(mean, scale, (count, *shape)).astype(np.float32)

    return Splats(
        means=normal(3, scale=2.0),
        log_scales=normal(3, scale=0.7, mean=-4.0),
        quats=normal(4),
        opacities=np.clip(normal(scale=2.0), -5, 8),
        sh0=normal(3),
        shN=normal(SH_REST_BY_DEGREE[sh_degree], 3, scale=0.05),
    )


def circle_of_cameras(count: int, *, hold_out_every: int = 8, size: int = 64) -> list[Camera]:
    """Cameras around the origin that look at it, every ``hold_out_every``-th held out (0: none)."""
    cameras = []
    for i in range(count):
        angle = 2 * np.pi * i / count
        right, forward = [np.cos(angle), 0, -np.sin(angle)], [np.sin(angle), 0, np.cos(angle)]
        viewmat = np.eye(4)
        viewmat[:3, :3] = [right, [0, 1, 0], forward]
        viewmat[2, 3] = 8
        held_out = hold_out_every > 0 and i % hold_out_every == 0
        cameras.append(Camera(f"{i:02}.png", viewmat, size, size, size / 2, size / 2, size, size, held_out))
    return cameras
