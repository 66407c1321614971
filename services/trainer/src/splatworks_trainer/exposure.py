"""An affine change of colours for each photo, learned beside the scene: cameras change their exposure.

As the exposure compensation of the 3DGS reference code (Kerbl et al., after "A Hierarchical 3D Gaussian
Representation", 2024): photo i is compared with ``exposure[i] @ (colour, 1)``. Only products of scene and
exposures are seen, so the mean over the training photos is held at the identity; else both would drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from splatworks_trainer.engine import Engine
from splatworks_trainer.evaluate import affine_fit, photo_and_render
from splatworks_trainer.views import Photos

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
_IDENTITY = np.eye(3, 4, dtype=np.float32)


class Exposures:
    """The exposures of all photos with their Adam moments.

    Args:
        photos: How many photos there are.
    """

    def __init__(self, photos: int) -> None:
        self._table = np.repeat(_IDENTITY[None], photos, axis=0)
        self._first = np.zeros_like(self._table)
        self._second = np.zeros_like(self._table)
        self._steps = np.zeros(photos, np.int64)

    def __getitem__(self, photo: int) -> NDArray[np.float32]:
        """The exposure of a photo by index, ``[3, 4]``."""
        exposure: NDArray[np.float32] = self._table[photo].copy()
        return exposure

    def set(self, photo: int, gain: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
        """Makes a photo's exposure one gain and offset a channel, ``[3]`` each; others stay."""
        self._table[photo] = np.concatenate([np.diag(gain), offset[:, None]], axis=1)

    def learn(self, photo: int, gradient: NDArray[np.float32], rate: float, training: Sequence[int]) -> None:
        """One step of Adam for a photo; the mean over the ``training`` photos becomes the identity again."""
        self._steps[photo] += 1
        step = int(self._steps[photo])
        self._first[photo] = _BETA_1 * self._first[photo] + (1 - _BETA_1) * gradient
        self._second[photo] = _BETA_2 * self._second[photo] + (1 - _BETA_2) * gradient**2
        first = self._first[photo] / (1 - _BETA_1**step)
        second = self._second[photo] / (1 - _BETA_2**step)
        self._table[photo] -= rate * first / (np.sqrt(second) + _EPSILON)
        chosen = list(training)
        self._table[chosen] += _IDENTITY - self._table[chosen].mean(axis=0)

    def state(self) -> Mapping[str, NDArray[np.generic]]:
        """A copy of all that its next steps depend on."""
        return {
            "table": self._table.copy(),
            "first": self._first.copy(),
            "second": self._second.copy(),
            "steps": self._steps.copy(),
        }

    @classmethod
    def restored(cls, state: Mapping[str, NDArray[np.generic]], photos: int) -> Exposures:
        """The exposures whose ``state`` this is.

        Raises:
            ValueError: It is no state of so many photos.
        """
        exposures = cls(photos)
        for name, current in exposures.state().items():
            values = state.get(name)
            if values is None or values.shape != current.shape or values.dtype != current.dtype:
                raise ValueError(f"the state has no exposures of {photos} photos")
            setattr(exposures, f"_{name}", np.array(values))
        return exposures


def exposures_of_unseen(exposures: Exposures, engine: Engine, photos: Photos) -> None:
    """Gives each held-out photo the gain and offset of each channel that bring its render closest to it.

    No step has seen them, and the few of a polish would not learn what the others learned in all the steps
    before.
    """
    for index in photos.held_out:
        view = photos.at(index)
        photo, render = photo_and_render(engine, view)
        counts = np.ones(photo.shape[:2], bool) if view.mask is None else view.mask
        exposures.set(index, *affine_fit(render[counts], photo[counts]))
