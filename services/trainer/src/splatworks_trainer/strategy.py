"""Where Gaussians are added and which are removed, as pure functions from statistics to an ``Edit``.

A strategy sees what the views have seen and what the Gaussians are; it never touches an optimizer, a renderer
or a file. ``adc`` and ``mcmc`` hold the two there are; either works with any engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from splatworks_common.splats import Splats
from splatworks_trainer.engine import Edit, Statistics
from splatworks_trainer.initial import FirstLook


@dataclass(frozen=True)
class Penalties:
    """What the loss takes beside the photos.

    Attributes:
        opacity: Weight of the mean opacity.
        scale: Weight of the mean scale, in units of the scene scale.
    """

    opacity: float
    scale: float


Errors = Callable[[], NDArray[np.float64]]
"""Looks at some photos, for a strategy that asks: see ``errors.blended_errors``."""

NO_PENALTIES = Penalties(0.0, 0.0)


class Strategy(Protocol):
    """Decides how the set of Gaussians changes. It remembers nothing, so a checkpoint need not hold it."""

    @property
    def first_look(self) -> FirstLook:
        """How the first Gaussians look."""

    @property
    def penalties(self) -> Penalties:
        """What is added to the loss of every step."""

    @property
    def rate_factor(self) -> float:
        """Factor on all learning rates."""

    def exploration(self, means_rate: float) -> float:
        """The length of the random walk after a step whose means had this learning rate; 0 for none."""

    def plan(
        self, stats: Statistics, errors: Errors, splats: Splats, step: int, rng: np.random.Generator
    ) -> Edit:
        """The change after ``step``.

        Args:
            stats: What the views since the last change have seen of each Gaussian, ``[N]`` each.
            errors: What each has to do with the errors of renders, ``[N]``.
            splats: The Gaussians, in the same order.
            step: The step just done, from 0.
            rng: The only source of randomness.
        """


def budget(max_gaussians: int, whole_at: int, step: int) -> int:
    """The Gaussians allowed after ``step``: in proportion to the steps, all from step ``whole_at`` on."""
    return int(max_gaussians * min(1.0, (step + 1) / (whole_at + 1)))


def concatenated(*tables: Splats) -> Splats:
    """The rows of several tables of the same SH degree, one after the other."""
    return Splats(
        means=np.concatenate([t.means for t in tables]),
        log_scales=np.concatenate([t.log_scales for t in tables]),
        quats=np.concatenate([t.quats for t in tables]),
        opacities=np.concatenate([t.opacities for t in tables]),
        sh0=np.concatenate([t.sh0 for t in tables]),
        shN=np.concatenate([t.shN for t in tables]),
    )
