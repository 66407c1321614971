"""Percent and time left of a stage, from the reports of its steps. Pure: the caller brings the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from splatworks_common.progress import Update

_STEADY_SHARE = 0.03
"""Below this share of the work an estimate of the time left would jump about; none is given."""


@dataclass(frozen=True)
class Reading:
    """Where a stage stands.

    Attributes:
        percent: 0 to 100.
        eta_seconds: Estimated seconds to the end of the stage, None while unknown.
    """

    percent: float
    eta_seconds: float | None


NOT_STARTED = Reading(percent=0.0, eta_seconds=None)
"""Before the first report."""


class Meter:
    """Turns a stage's updates into percent that never goes back and an estimate of the time left.

    Args:
        steps: Each step's share of the stage's time, in order; the shares sum to about 1.
        started: The time the stage started, in seconds of the caller's clock.
    """

    def __init__(self, steps: Mapping[str, float], started: float) -> None:
        self._shares = dict(steps)
        self._total = sum(steps.values()) or 1.0
        self._started = started
        self._share = 0.0
        self._resumed: dict[str, float] = {}

    def read(self, update: Update, now: float) -> Reading:
        """The stage's position after ``update``, seen at ``now``.

        Raises:
            KeyError: The update names a step the stage does not have.
        """
        before = 0.0
        for step, share in self._shares.items():
            if step == update.step:
                break
            before += share
        size = self._shares[update.step]
        done, resumed = update.share, update.resumed_share
        if done is None:
            done, resumed = (_part(count, update.total) for count in (update.done, update.resumed))
        self._share = max(self._share, (before + size * done) / self._total)
        self._resumed[update.step] = size * resumed / self._total
        own = self._share - sum(self._resumed.values())
        eta = (now - self._started) / own * (1.0 - self._share) if own >= _STEADY_SHARE else None
        return Reading(percent=min(100.0, 100.0 * self._share), eta_seconds=eta)


def _part(done: float, total: float) -> float:
    return min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
