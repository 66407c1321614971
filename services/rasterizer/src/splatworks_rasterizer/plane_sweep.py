"""How far away each pixel of a photo is, seen by comparing it with its neighbours on a family of planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from splatworks_rasterizer.native import kernels


@dataclass(frozen=True)
class Sweep:
    """The plane on which a photo's neighbours agree with it best.

    Attributes:
        planes: Index of that plane for each pixel, ``[H, W]`` float32; between two where the scores say so.
        scores: How well they agree there, ``[H, W]`` float32: -1 (also where nothing could be compared) to 1.
    """

    planes: NDArray[np.float32]
    scores: NDArray[np.float32]


def plane_sweep(
    photo: NDArray[np.float32],
    neighbours: Sequence[NDArray[np.float32]],
    homographies: NDArray[np.floating],
) -> Sweep:
    """Compares a photo with its neighbours by way of each plane of a family.

    Plane sweeping (Collins, "A Space-Sweep Approach to True Multi-Image Matching", 1996) with normalised
    cross-correlation over windows of 7 x 7 pixels. A plane's score is the mean of the best two neighbours',
    where one that can not be compared counts as -1; with one neighbour in all it is that one's.

    Args:
        photo: Grey levels, ``[H, W]``, 0 to 255; NaN where it is not to be looked at.
        neighbours: ``K`` others, at least one, each of a size of its own; the same.
        homographies: ``[P, K, 3, 3]``: they take pixels of the photo to pixels of a neighbour by way of a
            plane, in homogeneous coordinates with pixel centres at +0.5.

    Raises:
        ValueError: A shape is not as above, or there is nothing to compare.
    """
    if photo.ndim != 2 or any(other.ndim != 2 for other in neighbours):
        raise ValueError("photos to compare must be [H, W], of one channel")
    if homographies.ndim != 4 or homographies.shape[1:] != (len(neighbours), 3, 3):
        raise ValueError(
            f"homographies of shape {homographies.shape} and {len(neighbours)} neighbours: "
            "[planes, neighbours, 3, 3] is needed"
        )
    if 0 in (photo.size, *homographies.shape, *(other.size for other in neighbours)):
        raise ValueError("there is no pixel, no neighbour or no plane to compare")
    planes, scores = np.empty(photo.shape, np.float32), np.empty(photo.shape, np.float32)
    kernels.plane_sweep(
        np.ascontiguousarray(photo, np.float32),
        [np.ascontiguousarray(other, np.float32) for other in neighbours],
        np.ascontiguousarray(homographies, np.float32),
        planes,
        scores,
    )
    return Sweep(planes, scores)
