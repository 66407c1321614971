"""When a run has learned enough, and which of its models to keep: pure bookkeeping over evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from splatworks_trainer.config import TrainOptions


class StopReason(StrEnum):
    """Why training ended."""

    MAX_STEPS = "max_steps"
    PLATEAU = "plateau"
    TARGET_PSNR = "target_psnr"


@dataclass(frozen=True)
class Verdict:
    """Whether a model replaces the one kept so far, and why to stop now, if so."""

    keep: bool
    stop: StopReason | None


@dataclass(frozen=True)
class Seen:
    """What a stop rule remembers.

    Attributes:
        best: The highest figure of a complete run.
        to_beat: The figure above which an evaluation is a gain.
        without_gain: Evaluations since the last gain.
    """

    best: float = float("-inf")
    to_beat: float = float("-inf")
    without_gain: int = 0


NOTHING_SEEN = Seen()
"""Before the first evaluation."""


class StopRule:
    """Watches held-out figures; keeps the best model of a complete run and ends it on a plateau or target.

    A run is complete when its number of Gaussians is fixed, and settled when photos have their full size too.
    Models from before the first are replaced by newer ones whatever their figures: they lack detail. A
    plateau is seen only after the second: until then quality still jumps. Few photos may be learned by heart
    at full size; then the best model is one from between the two.

    Attributes:
        seen: All it remembers: a rule that is made with it goes on where this one is.
    """

    def __init__(self, options: TrainOptions, seen: Seen = NOTHING_SEEN) -> None:
        self._options = options
        self.seen = seen

    def look(self, figure: float, *, psnr: float, complete: bool, settled: bool) -> Verdict:
        """Judges an evaluation.

        Args:
            figure: What the options watch; more is better.
            psnr: Held-out mean PSNR in dB, which the target is one of.
            complete: Whether the number of Gaussians is fixed.
            settled: Whether photos have their full size, too.
        """
        options = self._options
        if options.target_psnr is not None and psnr >= options.target_psnr:
            return Verdict(keep=True, stop=StopReason.TARGET_PSNR)
        if not complete:
            return Verdict(keep=True, stop=None)
        before = self.seen
        keep = figure > before.best
        to_beat, without_gain = before.to_beat, before.without_gain
        if figure > to_beat:
            to_beat, without_gain = figure + options.plateau_min_delta, 0
        elif settled:
            without_gain += 1
        self.seen = Seen(max(before.best, figure), to_beat, without_gain)
        on_plateau = 0 < options.plateau_patience <= without_gain
        return Verdict(keep=keep, stop=StopReason.PLATEAU if on_plateau else None)
