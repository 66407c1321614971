"""The first Gaussians: one at each sparse point, as wide as the gaps between points.

Recipe of 3DGS (Kerbl et al. 2023; gsplat's ``create_splats_with_optimizers``), made safe for captures with
far points, doubled points and very few points: a Gaussian is never wider, seen from the nearest camera, than
a twentieth of its distance, and never finer than a small part of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from splatworks_common.cameras import Camera
from splatworks_common.splats import SH_C0, SH_REST_BY_DEGREE, Splats

_NEIGHBOURS = 3
_WIDEST = 0.05
"""Largest standard deviation as a share of the distance to the nearest camera: 3 degrees."""
_FINEST = 1e-4
"""Smallest one, on the same terms: a tenth of a pixel at the usual focal length of 1000 pixels."""


@dataclass(frozen=True)
class FirstLook:
    """How the first Gaussians look.

    Attributes:
        opacity: Their opacity.
        shrink: By how much they are smaller than the gaps between the points.
    """

    opacity: float
    shrink: float


def scene_scale(cameras: Sequence[Camera], points: NDArray[np.float64]) -> float:
    """The length that learning rates and size limits are given in, in world units.

    As in gsplat it is 1.1 times the largest distance of a camera from the mean camera. Photos taken from
    nearly one spot would make it vanish, so it is at least a tenth of the median distance from the points to
    their nearest camera.
    """
    centres = np.array([camera.position for camera in cameras])
    reach = 1.1 * np.linalg.norm(centres - centres.mean(axis=0), axis=1).max()
    depth = np.median(cKDTree(centres).query(points)[0])
    return float(max(reach, 0.1 * depth))


def splats_from_points(
    points: NDArray[np.float64],
    colors: NDArray[np.uint8],
    cameras: Sequence[Camera],
    *,
    look: FirstLook,
    sh_degree: int,
    max_gaussians: int,
    rng: np.random.Generator,
) -> Splats:
    """One Gaussian per sparse point.

    Args:
        points: ``[P, 3]`` world units, P at least 1.
        colors: ``[P, 3]`` 0..255.
        cameras: All cameras of the capture.
        look: Their opacity and size.
        sh_degree: Degree the spherical harmonics shall have room for; bands above 0 start at zero.
        max_gaussians: With more points than this, a random choice of so many is used.
        rng: Source of the choice and of the rotations.

    Returns:
        Isotropic Gaussians with random rotations and the points' colours.
    """
    if len(points) > max_gaussians:
        chosen = np.sort(rng.choice(len(points), max_gaussians, replace=False))
        points, colors = points[chosen], colors[chosen]
    n = len(points)
    scales = _spacing(points, np.array([camera.position for camera in cameras])) / look.shrink
    return Splats(
        means=points.astype(np.float32),
        log_scales=np.repeat(np.log(scales)[:, None], 3, axis=1).astype(np.float32),
        quats=rng.standard_normal((n, 4)).astype(np.float32),
        opacities=np.full(n, np.log(look.opacity / (1 - look.opacity)), np.float32),
        sh0=((colors / 255 - 0.5) / SH_C0).astype(np.float32),
        shN=np.zeros((n, SH_REST_BY_DEGREE[sh_degree], 3), np.float32),
    )


def _spacing(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square distance to the three nearest points, ``[P]``, within the limits above."""
    distance_to_camera = np.maximum(cKDTree(centres).query(points)[0], np.finfo(np.float32).eps)
    neighbours = min(_NEIGHBOURS, len(points) - 1)
    if neighbours == 0:
        return np.asarray(_WIDEST * distance_to_camera)
    gaps = cKDTree(points).query(points, neighbours + 1)[0][:, 1:]
    spacing = np.sqrt(np.mean(gaps**2, axis=1))
    return np.asarray(np.clip(spacing, _FINEST * distance_to_camera, _WIDEST * distance_to_camera))
