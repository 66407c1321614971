"""Which Gaussians the photos hardly show: a Gaussian's significance is what it adds to all their pixels.

Trick-GS (Armagan et al. 2025) and LightGaussian (Fan et al. 2024) remove a fixed share of the Gaussians, the
least significant first. Here the share is one of the significance itself, so that a scene loses many where
many show nothing, and none where all do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from splatworks_trainer.engine import Engine
from splatworks_trainer.views import Photos


def significance(engine: Engine, photos: Photos, indices: Sequence[int]) -> NDArray[np.float64]:
    """The sum of each Gaussian's blending weights over the pixels of the photos ``indices``, ``[N]``.

    It takes all photos that were trained on: what only one of them shows is not to be lost.
    """
    total = np.zeros(engine.count)
    for index in indices:
        view = photos.at(index)
        size = (view.camera.height, view.camera.width)
        counts = np.ones(size, np.float32) if view.mask is None else view.mask.astype(np.float32)
        total += engine.blended(view.camera, counts)
    return total


def worth_keeping(significance: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """A mask ``[N]`` without the least significant ones that together have at most ``share`` of the whole.

    At least one is kept.
    """
    order = np.argsort(significance, kind="stable")
    below = np.cumsum(significance[order]) <= share * significance.sum()
    keep = np.ones(len(significance), bool)
    keep[order[below]] = False
    if len(keep):
        keep[order[-1]] = True
    return keep
