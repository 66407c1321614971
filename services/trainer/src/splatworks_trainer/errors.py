"""What each Gaussian has to do with the errors of renders: by that more of them go where detail is missing.

Rota Bulo et al. 2024, "Revising Densification in Gaussian Splatting": a pixel's error is shared out among the
Gaussians that are blended into it, by their weights. How hard a Gaussian is pulled says less: where fine
texture is missing, its pixels pull to all sides at once, and their sum is small.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from splatworks_trainer.engine import Engine
from splatworks_trainer.evaluate import pictures
from splatworks_trainer.exposure import Exposures
from splatworks_trainer.views import Photos


def blended_errors(
    engine: Engine, photos: Photos, indices: Iterable[int], size: float, exposures: Exposures | None = None
) -> NDArray[np.float64]:
    """For each Gaussian the sum over pixels of its blending weight times the pixel's absolute error, ``[N]``.

    Args:
        engine: The Gaussians.
        photos: The photos. What their masks ignore has no error.
        indices: Those to look at.
        size: At this share of the training size.
        exposures: What the photos' colours are compared with, where they are learned.
    """
    total = np.zeros(engine.count)
    for index in indices:
        view = photos.at(index, size)
        photo, render = pictures(engine, view, exposures[index] if exposures else None)
        error = np.abs(render - photo).mean(axis=2, dtype=np.float32)
        total += engine.blended(view.camera, error)
    return total
