"""What each training step uses (image size, SH bands, learning rates), and after which more happens.

Pure functions of the options, the number of photos and the step (counted from 0): no state and no clock, so a
run's course is known before it starts and is the same on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from splatworks_trainer.config import TrainOptions
from splatworks_trainer.engine import Rates

# Adam's learning rates of 3DGS (Kerbl et al. 2023), as gsplat's simple_trainer has them.
_MEANS_RATE = 1.6e-4  # of the scene scale
_MEANS_RATE_END = 0.01  # of its value at the first step
_LOG_SCALES_RATE = 5e-3
_QUATS_RATE = 1e-3
_OPACITIES_RATE = 5e-2
_SH0_RATE = 2.5e-3
_SHN_RATE = 2.5e-3 / 20

_REFERENCE_PHOTOS = 50
# Limits of the automatic number of steps as factors of ``steps_for_50_photos``.
_FEWEST_STEPS = 0.5
_MOST_STEPS = 5.0


@dataclass(frozen=True)
class Schedule:
    """The course of one training run.

    Attributes:
        steps: How many steps it has.
        scene_scale: Length of the scene in world units, on which the means' learning rate depends.
        options: The caller's options.
    """

    steps: int
    scene_scale: float
    options: TrainOptions

    def image_size(self, step: int) -> float:
        """The photos' size at ``step`` as a share of the training size."""
        progress = step / self.steps
        return max(size for size, start in self.options.resolution_schedule if progress >= start)

    def sh_degree(self, step: int) -> int:
        """The highest SH degree that trains at ``step``."""
        if self.options.sh_interval == 0:
            return self.options.sh_degree
        return min(int(step / self.steps / self.options.sh_interval), self.options.sh_degree)

    def rates(self, step: int) -> Rates:
        """The learning rates of ``step``: constant but that of the means, which decays exponentially."""
        factor = self.options.rate_scale
        return Rates(
            means=_MEANS_RATE * self.scene_scale * _MEANS_RATE_END ** (step / self.steps) * factor,
            log_scales=_LOG_SCALES_RATE * factor,
            quats=_QUATS_RATE * factor,
            opacities=_OPACITIES_RATE * factor,
            sh0=_SH0_RATE * factor,
            shN=_SHN_RATE * factor,
        )

    def densifies_after(self, step: int) -> bool:
        """Whether Gaussians are added and pruned after ``step``."""
        options = self.options
        return (step + 1) in _evenly(
            options.densify_from * self.steps, options.densify_until * self.steps, options.densify_rounds
        )

    @property
    def last_densifying_step(self) -> int:
        """The step after which Gaussians are added for the last time."""
        return max(1, round(self.options.densify_until * self.steps)) - 1

    def evaluates_after(self, step: int) -> bool:
        """Whether the held-out photos are looked at after ``step``; always so after the last one."""
        count = self.options.evaluations
        return (step + 1) in _evenly(self.steps / count, self.steps, count)

    def complete_after(self, step: int) -> bool:
        """Whether the number of Gaussians is fixed after ``step``."""
        return step > self.last_densifying_step

    def settled_after(self, step: int) -> bool:
        """Whether photos have their full size, too, after ``step``."""
        return self.complete_after(step) and self.image_size(step) == 1


def planned_steps(options: TrainOptions, photos: int) -> int:
    """How many steps a run has: ``max_steps``, or a number that grows with the root of the photos."""
    if options.max_steps:
        return options.max_steps
    factor = math.sqrt(photos / _REFERENCE_PHOTOS)
    return round(options.steps_for_50_photos * min(max(factor, _FEWEST_STEPS), _MOST_STEPS))


def _evenly(first: float, last: float, count: int) -> frozenset[int]:
    """``count`` whole steps from ``first`` to ``last``, both included; fewer where they fall together."""
    gap = (last - first) / max(count - 1, 1)
    return frozenset(max(1, round(first + gap * i)) for i in range(count))
