"""Notices a run that goes astray before its numbers stop being finite: pure bookkeeping over squared errors.

Training lowers the error; new Gaussians raise it a little and for a while. An error that stays far above the
lowest one seen means that rates are too high for the scene. Larger photos show more to get wrong, so each
size is a matter of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

_MEMORY = 0.98
"""Weight of the past in the running mean: about fifty steps."""

_WORSE = 4.0
"""How many times the lowest running mean is too much: 6 dB."""

_SOUND = 2.0
"""How many times the lowest running mean is still no sign of trouble."""

_QUIET_STEPS = 100
"""The first steps say little: the running mean is still that of a few photos."""


class Diverged(Exception):
    """Training went astray; the message says at which step, and what was seen."""


@dataclass(frozen=True)
class Trend:
    """What is remembered of the squared errors so far.

    Attributes:
        size: The photos' size, as a share of the full one, that it is about.
        steps: How many there were at that size.
        mean: Their running mean.
        lowest: The lowest it was after the first steps.
    """

    size: float = 0.0
    steps: int = 0
    mean: float = 0.0
    lowest: float = float("inf")

    @property
    def is_sound(self) -> bool:
        """Whether the error is near the lowest one, so that a run may be set back to here."""
        return self.mean <= _SOUND * self.lowest


NO_TREND = Trend()
"""Before the first step."""


def followed(trend: Trend, mse: float, size: float, step: int) -> Trend:
    """The trend after another step.

    Args:
        trend: That before it.
        mse: Its mean squared error, colours in 0..1.
        size: The photos' size.
        step: Its number, for the message.

    Raises:
        Diverged: The error has risen far above what it was.
    """
    if size != trend.size:
        trend = Trend(size)
    memory = min(_MEMORY, trend.steps / (trend.steps + 1))
    mean = memory * trend.mean + (1 - memory) * mse
    quiet = trend.steps < _QUIET_STEPS
    if not quiet and mean > _WORSE * trend.lowest:
        raise Diverged(
            f"training step {step}: the mean squared error has risen to {mean:.3g}, from {trend.lowest:.3g}"
        )
    return Trend(size, trend.steps + 1, mean, trend.lowest if quiet else min(trend.lowest, mean))
