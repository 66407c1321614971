"""Which pixels of a photo show what other photos have seen too, so that training can know it.

What only a held-out photo shows, no trainer can render; figures over all its pixels measure the capture then.
The pixels near sparse points that at least two training photos observe are known, so figures over those
compare trainers. It is the idea of DyCheck's co-visibility masks (Gao et al. 2022, "Monocular Dynamic View
Synthesis: A Reality Check"), with the matches of structure from motion in place of dense ones. A point that
something hides in the view counts as seen: sparse points have no surface to hide behind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from splatworks_common.cameras import Camera
from splatworks_trainer.colmap import ColmapModel
from splatworks_trainer.views import in_picture

_FEWEST_PHOTOS = 2
"""A point counts as known if so many training photos observe it."""

_REACH = 0.03
"""How far a known point covers its surroundings, of the longest side of the photo."""


def known_points(model: ColmapModel, training: Sequence[int]) -> NDArray[np.float64]:
    """The sparse points that at least two of the photos ``training`` observe, ``[K, 3]`` world units."""
    point, photo = model.observations.T
    observed = np.bincount(point[np.isin(photo, training)], minlength=len(model.points))
    return model.points[observed >= _FEWEST_PHOTOS]


def covered_pixels(known: NDArray[np.float64], camera: Camera) -> NDArray[np.bool_]:
    """The pixels of a view within 3 % of its longest side of a known point, ``[H, W]``.

    Args:
        known: The points, ``[K, 3]`` world units; those outside the picture, or not ahead, cover nothing.
        camera: The view.
    """
    pixels, _, _ = in_picture(known, camera)
    empty = np.ones((camera.height, camera.width), bool)
    column, row = pixels.astype(int).T
    empty[row, column] = False
    if empty.all():
        return ~empty
    return np.asarray(distance_transform_edt(empty) <= _REACH * max(camera.width, camera.height))
