"""The optimisation loop: one photo a step, with edits and evaluations where the schedule has them.

It works with any engine and any strategy, and is deterministic: what it does depends on its arguments alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from splatworks_common.progress import Report, Update
from splatworks_common.reasons import InputInvalid, Internal
from splatworks_common.splats import Splats
from splatworks_trainer.engine import Engine, StepResult, require_finite
from splatworks_trainer.evaluate import evaluate
from splatworks_trainer.log import TrainingLog
from splatworks_trainer.schedule import Schedule
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
    rng: np.random.Generator,
    threads: int,
    report: Report,
    log: TrainingLog,
) -> Fit:
    """Optimises the engine's Gaussians until the schedule ends or the stop rule says so.

    Held-out photos never train. They do decide when to stop and which model is kept, so their figures are
    those of a validation set: slightly on the good side.

    Raises:
        InputInvalid: No photo is left to train on.
        Internal: A parameter, a loss or a render is not finite; the message names it and the step.
    """
    if not photos.training:
        raise InputInvalid(f"all {len(photos)} photos are held out; training needs at least one")
    order = _shuffled_forever(photos.training, rng)
    stop_rule = StopRule(schedule.options)
    stop: StopReason | None = None
    kept: tuple[Splats, int] | None = None
    figures: dict[str, float] = {}

    for step in range(schedule.steps):
        size = schedule.image_size(step)
        camera, photo = photos.at(next(order), size)
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
            kept = (splats, step + 1) if verdict.keep else kept
            stop = verdict.stop

        figures["gaussians"] = engine.count
        if (step + 1) % max(1, schedule.steps // _REPORTS) == 0:
            report(Update("train", step + 1, schedule.steps, _message(size), dict(figures), "steps"))
            log.write("progress", step=step + 1, loss=result.loss, mse=result.mse, image_size=size, **figures)
        if stop:
            break

    splats, taken = kept or (_finite_splats(engine, step), step + 1)
    return Fit(splats, taken, step + 1, stop or StopReason.MAX_STEPS)


def _shuffled_forever(indices: Sequence[int], rng: np.random.Generator) -> Iterator[int]:
    """All indices in random order, then all again in another, and so on."""
    while True:
        yield from (int(i) for i in rng.permutation(indices))


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


def _message(size: float) -> str:
    if size < 0.5:
        return "Learning the coarse shape"
    return "Adding detail" if size < 1 else "Refining at full size"
