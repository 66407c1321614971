"""The optimisation loop: one photo a step, with edits and evaluations where the schedule has them.

It works with any engine and any strategy, and is deterministic: what it does depends on its arguments alone.
So a run that is cut short and goes on from its last checkpoint ends as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from splatworks_common.checkpoints import Checkpoint
from splatworks_common.progress import Report, Update
from splatworks_common.reasons import InputInvalid, Internal
from splatworks_common.splats import Splats
from splatworks_trainer.engine import Engine, StepResult, require_finite
from splatworks_trainer.evaluate import evaluate
from splatworks_trainer.log import TrainingLog
from splatworks_trainer.schedule import Schedule
from splatworks_trainer.state import Kept, Position, RunState, write_state
from splatworks_trainer.stopping import StopReason, StopRule
from splatworks_trainer.strategy import Strategy
from splatworks_trainer.views import Photos

_REPORTS = 200
"""How many times over a whole run progress is reported and logged."""


@dataclass(frozen=True)
class Fit:
    """What came out of a run.

    Attributes:
        splats: The Gaussians of the best evaluation after their number was fixed; without held-out photos
            the last ones.
        step: After how many steps they were taken.
        steps: How many steps were done in all.
        stop_reason: Why no more were done.
    """

    splats: Splats
    step: int
    steps: int
    stop_reason: StopReason


def fit(
    engine: Engine,
    strategy: Strategy,
    schedule: Schedule,
    photos: Photos,
    *,
    start: Position,
    threads: int,
    report: Report,
    log: TrainingLog,
    checkpoint: Checkpoint,
) -> Fit:
    """Optimises the engine's Gaussians until the schedule ends or the stop rule says so.

    Held-out photos never train. They do decide when to stop and which model is kept, so their figures are
    those of a validation set: slightly on the good side.

    Args:
        engine: What renders and optimises, in the state that belongs to ``start``.
        strategy: Where Gaussians are added and removed.
        schedule: What each step uses.
        photos: The photos.
        start: Where to begin; its ``rng`` is used up.
        threads: CPU threads to use.
        report: Told of progress.
        log: Written to.
        checkpoint: Keeps the state every ``checkpoint_seconds``.

    Raises:
        InputInvalid: No photo is left to train on.
        Preempted: The worker is stopping and the state is kept.
        Internal: A parameter, a loss or a render is not finite; the message names it and the step.
    """
    if not photos.training:
        raise InputInvalid(f"all {len(photos)} photos are held out; training needs at least one")
    rng, kept, figures = start.rng, start.kept, dict(start.figures)
    order = _Shuffled(photos.training, rng, start.round)
    stop_rule = StopRule(schedule.options, start.seen)
    stop: StopReason | None = None
    resumed = {"resumed_from_step": start.step} if start.step else {}
    if resumed:
        message = f"Continued from step {start.step:,}"
        report(_update(start.step, schedule, message, figures | resumed, start.step))

    for step in range(start.step, schedule.steps):
        if checkpoint.due(schedule.options.checkpoint_seconds):
            position = Position(rng, step, tuple(order.round), stop_rule.seen, kept, dict(figures))
            checkpoint.save(partial(write_state, RunState(position, engine.state(), log.seconds, log.text())))

        size = schedule.image_size(step)
        camera, photo = photos.at(order.next(), size)
        result = engine.step(
            camera,
            photo,
            schedule.rates(step),
            sh_degree=schedule.sh_degree(step),
            ssim_weight=schedule.options.ssim_weight,
        )
        _require_finite_result(result, engine, camera.name, step)

        if schedule.densifies_after(step):
            splats = _finite_splats(engine, step)
            edit = strategy.plan(engine.statistics(), splats, step, rng)
            engine.apply(edit)
            removed = int(np.count_nonzero(~edit.keep))
            log.write("edit", step=step + 1, removed=removed, added=len(edit.append), gaussians=engine.count)

        if photos.held_out and schedule.evaluates_after(step):
            splats = _finite_splats(engine, step)
            quality = evaluate(engine, photos, photos.held_out, threads=threads)
            log.write(
                "evaluation", step=step + 1, psnr=quality.psnr, ssim=quality.ssim, gaussians=engine.count
            )
            figures |= {"psnr": quality.psnr, "ssim": quality.ssim}
            verdict = stop_rule.look(
                quality.psnr, complete=schedule.complete_after(step), settled=schedule.settled_after(step)
            )
            kept = Kept(splats, step + 1) if verdict.keep else kept
            stop = verdict.stop

        figures["gaussians"] = engine.count
        if (step + 1) % max(1, schedule.steps // _REPORTS) == 0:
            report(_update(step + 1, schedule, _message(size), figures | resumed, start.step))
            log.write("progress", step=step + 1, loss=result.loss, mse=result.mse, image_size=size, **figures)
        if stop:
            break

    best = kept or Kept(_finite_splats(engine, step), step + 1)
    return Fit(best.splats, best.step, step + 1, stop or StopReason.MAX_STEPS)


class _Shuffled:
    """All indices in random order, then all again in another, and so on; ``round`` is the rest of a round."""

    def __init__(self, indices: Sequence[int], rng: np.random.Generator, round_: Sequence[int]) -> None:
        self.round = list(round_)
        self._indices = indices
        self._rng = rng

    def next(self) -> int:
        """The next index."""
        if not self.round:
            self.round = [int(index) for index in self._rng.permutation(self._indices)]
        return self.round.pop(0)


def _finite_splats(engine: Engine, step: int) -> Splats:
    splats = engine.splats()
    require_finite(splats, step)
    return splats


def _require_finite_result(result: StepResult, engine: Engine, photo: str, step: int) -> None:
    """Stops at the first loss that is not a number, with the name of what spoiled it."""
    if not (math.isfinite(result.loss) and math.isfinite(result.mse)):
        require_finite(engine.splats(), step)
        raise Internal(
            f"training step {step}: the loss on photo {photo} is {result.loss}, though all splats are finite"
        )


def _update(
    done: int, schedule: Schedule, message: str, figures: Mapping[str, float], resumed: int
) -> Update:
    return Update("train", done, schedule.steps, message, figures, "steps", resumed)


def _message(size: float) -> str:
    if size < 0.5:
        return "Learning the coarse shape"
    return "Adding detail" if size < 1 else "Refining at full size"
