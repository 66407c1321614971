"""What each training step uses (image size, SH bands, learning rates), and after which more happens.

Pure functions of the options, the number of photos and the step (counted from 0): no state and no clock, so a
run's course is known before it starts and is the same on every machine.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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

# As in the 3DGS code.
_EXPOSURE_RATE = 1e-2
_EXPOSURE_RATE_END = 0.1  # of its value at the first step

_FADE_START = 0.85
"""Share of the run from which the Gaussians' rates fade, so that it ends at rest and not on its way: +0.2 dB
on 36 photos. Fading from the start costs more than it gains."""
_FADE_END = 0.2  # of a rate

_TIME_OF_PIXELS = 0.3
"""Of a step's time at 960 pixels with 280,000 Gaussians on a CPU, what goes with the pixels."""

_POLISH_RATES_END = 0.1
_SAFE_POINTS = 4
"""Places in a run to go back to, its beginning among them, beside those where photos grow. Each is written to
disk: 1 kB a Gaussian, and 0.05 to 0.7 s for 190,000, by machine."""

_MOST_LOOKS, _STEPS_A_LOOK = 6, 7
"""A look at a photo's errors takes as long as two steps. With 400 steps, looks were a third of the time, and
a sixth as many cost nothing that could be told from noise (0.2 dB)."""

_FEWEST_PHOTOS, _MOST_PHOTOS = 24, 50
"""Captures in between get ``steps_for_50_photos``."""
_FEWEST_STEPS, _MOST_STEPS = 0.5, 5.0
"""Limits of the automatic number of steps as factors of ``steps_for_50_photos``."""


class Course(Protocol):
    """What each step of a run uses, and what happens beside the steps; a step is counted from 0."""

    @property
    def name(self) -> str:
        """The stage's step that the run is, for progress."""

    @property
    def steps(self) -> int:
        """How many steps it has."""

    @property
    def scene_scale(self) -> float:
        """Length of the scene in world units."""

    @property
    def options(self) -> TrainOptions:
        """The caller's options."""

    @property
    def keeps_best(self) -> bool:
        """Whether the outcome is the best model that was evaluated, and not the last."""

    def image_size(self, step: int) -> float:
        """The photos' size as a share of the training size."""

    def sh_degree(self, step: int) -> int:
        """The highest SH degree that trains."""

    def rates(self, step: int) -> Rates:
        """The learning rates of the Gaussians' parameters."""

    def exposure_rate(self, step: int) -> float:
        """The learning rate of the photos' exposures."""

    def densifies_after(self, step: int) -> bool:
        """Whether Gaussians are added and pruned after ``step``."""

    @property
    def error_looks(self) -> int:
        """How many training photos' errors a strategy is shown at a time."""

    def evaluates_after(self, step: int) -> bool:
        """Whether the held-out photos are looked at after ``step``."""

    def complete_after(self, step: int) -> bool:
        """Whether the number of Gaussians is fixed after ``step``."""

    def settled_after(self, step: int) -> bool:
        """Whether photos have their full size, too, after ``step``."""

    def safe_before(self, step: int) -> bool:
        """Whether the state before ``step`` is kept to go back to, should training go astray."""

    def message(self, step: int) -> str:
        """What a person is told."""

    def share(self, done: int) -> float:
        """About how much of the run's time its first ``done`` steps take, 0 to 1."""


@dataclass(frozen=True)
class Schedule:
    """The course of one training run.

    Attributes:
        steps: How many steps it has.
        scene_scale: Length of the scene in world units, on which the means' learning rate depends.
        options: The caller's options.
        name, keeps_best: See ``Course``.
    """

    steps: int
    scene_scale: float
    options: TrainOptions
    name: str = "train"
    keeps_best: bool = True

    def image_size(self, step: int) -> float:
        """The photos' size at ``step`` as a share of the training size."""
        progress, levels = step / self.steps, self.options.resolution_schedule
        assert levels is not None, "the options are settled"
        return max(size for size, start in levels if progress >= start)

    def sh_degree(self, step: int) -> int:
        """The highest SH degree that trains at ``step``."""
        starts = self.options.sh_schedule or (0.0,)
        bands = (starts[min(band, len(starts) - 1)] for band in range(self.options.sh_degree))
        return sum(step / self.steps >= start for start in bands)

    def rates(self, step: int) -> Rates:
        """The learning rates of ``step``: constant until they fade, but that of the means always decays."""
        fading = max(0.0, (step / self.steps - _FADE_START) / (1 - _FADE_START))
        return scaled(self.steady_rates(step), _FADE_END**fading)

    def steady_rates(self, step: int) -> Rates:
        """The learning rates that ``step`` would have if they did not fade at the end."""
        factor = self.options.rate_scale
        return Rates(
            means=_MEANS_RATE * self.scene_scale * _MEANS_RATE_END ** (step / self.steps) * factor,
            log_scales=_LOG_SCALES_RATE * factor,
            quats=_QUATS_RATE * factor,
            opacities=_OPACITIES_RATE * factor,
            sh0=_SH0_RATE * factor,
            shN=_SHN_RATE * factor,
        )

    def exposure_rate(self, step: int) -> float:
        """The learning rate of the exposures, which decays exponentially as in the 3DGS code."""
        return float(_EXPOSURE_RATE * _EXPOSURE_RATE_END ** (step / self.steps))

    def densifies_after(self, step: int) -> bool:
        """Whether Gaussians are added and pruned after ``step``."""
        options = self.options
        return (step + 1) in _evenly(
            options.densify_start * self.steps, options.densify_until * self.steps, options.densify_rounds
        )

    @property
    def error_looks(self) -> int:
        """See ``Course.error_looks``: few where Gaussians are added every few steps."""
        options = self.options
        densifying = (options.densify_until - options.densify_start) * self.steps
        steps_between = densifying / max(1, options.densify_rounds - 1)
        return max(1, min(_MOST_LOOKS, round(steps_between / _STEPS_A_LOOK)))

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

    def safe_before(self, step: int) -> bool:
        """See ``Course.safe_before``: a few times a run, and where photos grow."""
        grows = step > 0 and self.image_size(step) != self.image_size(step - 1)
        return grows or step in _evenly(self.steps / _SAFE_POINTS, self.steps, _SAFE_POINTS)

    def message(self, step: int) -> str:
        """What a person is told."""
        size = self.image_size(step)
        if size < 0.5:
            return "Learning the coarse shape"
        return "Adding detail" if size < 1 else "Refining at full size"

    def share(self, done: int) -> float:
        """See ``Course.share``: a step takes longer the more Gaussians and pixels there are."""
        return float(self._times[done] / self._times[-1])

    @cached_property
    def _times(self) -> NDArray[np.float64]:
        """The time of the first 0, 1, ... steps, ``[steps + 1]``, in steps with all Gaussians and pixels."""
        start, whole_at = self.options.dense_start, self.last_densifying_step + 1
        assert start is not None, "the options are settled"
        gaussians = [min(1.0, max(start, (step + 1) / whole_at)) for step in range(self.steps)]
        pixels = [self.image_size(step) ** 2 for step in range(self.steps)]
        times = _TIME_OF_PIXELS * np.array(pixels) + (1 - _TIME_OF_PIXELS) * np.array(gaussians)
        return np.concatenate([[0.0], np.cumsum(times)])


@dataclass(frozen=True)
class Polish:
    """The course after the figures were taken: full size, all photos, no change of number, rates that fade.

    Attributes:
        steps: How many steps it has.
        after: The course that it follows.
        name, keeps_best: See ``Course``.
    """

    steps: int
    after: Schedule
    name: str = "polish"
    keeps_best: bool = False

    @property
    def scene_scale(self) -> float:
        """See ``Course.scene_scale``."""
        return self.after.scene_scale

    @property
    def options(self) -> TrainOptions:
        """See ``Course.options``."""
        return self.after.options

    def image_size(self, step: int) -> float:
        """See ``Course.image_size``."""
        return 1.0

    def sh_degree(self, step: int) -> int:
        """See ``Course.sh_degree``."""
        return self.options.sh_degree

    def rates(self, step: int) -> Rates:
        """Those of the last step, had they not faded, fading to a tenth."""
        return scaled(self.after.steady_rates(self.after.steps), _POLISH_RATES_END ** (step / self.steps))

    def exposure_rate(self, step: int) -> float:
        """See ``Course.exposure_rate``: fading like the others."""
        fade = float(_POLISH_RATES_END ** (step / self.steps))
        return self.after.exposure_rate(self.after.steps) * fade

    @property
    def error_looks(self) -> int:
        """See ``Course.error_looks``: it adds no Gaussians."""
        return 0

    def densifies_after(self, step: int) -> bool:
        """See ``Course.densifies_after``."""
        return False

    def evaluates_after(self, step: int) -> bool:
        """See ``Course.evaluates_after``."""
        return False

    def complete_after(self, step: int) -> bool:
        """See ``Course.complete_after``."""
        return True

    def settled_after(self, step: int) -> bool:
        """See ``Course.settled_after``."""
        return True

    def safe_before(self, step: int) -> bool:
        """See ``Course.safe_before``: its beginning is enough."""
        return False

    def message(self, step: int) -> str:
        """See ``Course.message``."""
        return "Polishing with all photos"

    def share(self, done: int) -> float:
        """See ``Course.share``: all steps are alike."""
        return done / self.steps


def scaled(rates: Rates, factor: float) -> Rates:
    """All rates times ``factor``."""
    return Rates(*(rate * factor for rate in astuple(rates)))


def planned_steps(options: TrainOptions, photos: int) -> int:
    """How many steps a run has: ``max_steps``, or a number that goes with that of the photos."""
    if options.max_steps:
        return options.max_steps
    few, many = min(1.0, photos / _FEWEST_PHOTOS), max(1.0, math.sqrt(photos / _MOST_PHOTOS))
    return round(options.steps_for_50_photos * min(max(few, _FEWEST_STEPS) * many, _MOST_STEPS))


def _evenly(first: float, last: float, count: int) -> frozenset[int]:
    """``count`` whole steps from ``first`` to ``last``, both included; fewer where they fall together."""
    gap = (last - first) / max(count - 1, 1)
    return frozenset(max(1, round(first + gap * i)) for i in range(count))
