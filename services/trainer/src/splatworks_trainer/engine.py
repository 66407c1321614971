"""The line between what renders and optimises Gaussians, an engine, and all that decides about them.

An engine owns the parameters, their Adam moments and the device they live on. Loop, schedules, strategies,
evaluation, checkpoints and export stand above it and speak numpy only, so a new engine is one file in
``engines/`` and a strategy is tested without one. ``train`` is given an ``EngineFactory`` and makes its
engines with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats
from splatworks_rasterizer import Objective, Rates, Statistics, StepResult

__all__ = [
    "Edit",
    "Engine",
    "EngineFactory",
    "EngineState",
    "Objective",
    "Rates",
    "Statistics",
    "StepResult",
    "not_finite",
]

EngineState = Mapping[str, NDArray[np.generic]]
"""All that an engine's next steps depend on, as plain numeric arrays in main memory. What they are called
(``[a-z0-9_]+``) and what is in them is the engine's own affair."""


@dataclass(frozen=True)
class Edit:
    """A change of the set of Gaussians.

    Attributes:
        keep: Which of the present ones stay, with their moments, ``[N]`` bool.
        append: New ones, placed after those that stay; their moments start at zero.
    """

    keep: NDArray[np.bool_]
    append: Splats


class Engine(Protocol):
    """Renders Gaussians and optimises them."""

    @property
    def count(self) -> int:
        """How many Gaussians there are."""

    def render(self, camera: Camera) -> NDArray[np.float32]:
        """The picture from ``camera`` over black, ``[H, W, 3]``, not clipped."""

    def step(
        self,
        camera: Camera,
        photo: NDArray[np.uint8],
        rates: Rates,
        objective: Objective,
        *,
        mask: NDArray[np.uint8] | None = None,
        exposure: NDArray[np.float32] | None = None,
    ) -> StepResult:
        """Optimises with one photo.

        Args:
            camera: The photo's camera.
            photo: ``[H, W, 3]`` of the camera's size.
            rates: Learning rates of this step.
            objective: The loss, and how the picture is formed.
            mask: ``[H, W]``; where it is 0 the photo says nothing.
            exposure: ``[3, 4]``; the photo is compared with the picture's colours c as exposure @ (c, 1).
        """

    def blended(self, camera: Camera, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """For each Gaussian the sum over pixels of its blending weight times the pixel's value, ``[N]``.

        With values of one it is the Gaussian's significance in this view.

        Args:
            camera: From where.
            values: ``[H, W]``.
        """

    def perturb(self, length: float, seed: int) -> None:
        """Moves the means of faint Gaussians by Sigma xi times ``length``, xi normal and ruled by ``seed``.

        3DGS-MCMC's exploration (Kheradmand et al. 2024, equation 8).
        """

    def statistics(self) -> Statistics:
        """What the views since the last ``apply`` (or the start) have seen of each Gaussian."""

    def apply(self, edit: Edit) -> None:
        """Changes the set of Gaussians and starts the statistics anew."""

    def splats(self) -> Splats:
        """A copy of the Gaussians."""

    def state(self) -> EngineState:
        """A copy of all that its next steps depend on: parameters, Adam's moments and steps, statistics."""

    def restore(self, state: EngineState) -> None:
        """Becomes the engine whose ``state`` this is. The arrays may be read-only and lie in a file.

        Raises:
            ValueError: It is no state of such an engine.
        """


class EngineFactory(Protocol):
    """Makes engines; an engine's class is one."""

    def __call__(self, splats: Splats, *, capacity: int, threads: int, antialiased: bool = False) -> Engine:
        """An engine that starts from ``splats``.

        Args:
            splats: The Gaussians to start from; their SH degree is the highest that can be trained.
            capacity: The most Gaussians there will ever be.
            threads: CPU threads it may use.
            antialiased: Whether Gaussians smaller than a pixel grow fainter instead of wider (Mip-Splatting).
        """


def not_finite(splats: Splats) -> str:
    """Which parameters are NaN or infinite, of how many Gaussians ("means of 3, quats of 1"); "" for none."""
    found = []
    for parameter in fields(splats):
        values = getattr(splats, parameter.name)
        bad = np.count_nonzero(~np.isfinite(values).reshape(len(values), values[:1].size).all(axis=1))
        if bad:
            found.append(f"{parameter.name} of {bad}")
    return ", ".join(found)
