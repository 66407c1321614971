"""The optimisation loop: one photo a step, with edits and evaluations where the schedule has them.

It works with any engine and any strategy, and is deterministic: what it does depends on its arguments alone.
So a run that is cut short and goes on from its last checkpoint ends as if it had not been. A run that goes
astray is set back once, to where it was last sound or else where this attempt began, and goes on with half
the rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from splatworks_common.checkpoints import Checkpoint
from splatworks_common.live import LiveArtifacts
from splatworks_common.progress import Report, Update
from splatworks_common.reasons import InputInvalid, Internal
from splatworks_common.splats import Splats
from splatworks_trainer.config import Background, PlateauMetric
from splatworks_trainer.engine import Engine, Objective, StepResult, not_finite
from splatworks_trainer.errors import blended_errors
from splatworks_trainer.evaluate import Evaluation, evaluate
from splatworks_trainer.exposure import Exposures
from splatworks_trainer.log import TrainingLog
from splatworks_trainer.preview import PREVIEW_NAME, PREVIEW_SECONDS, preview_camera, preview_jpeg
from splatworks_trainer.safe_point import SafePoint
from splatworks_trainer.schedule import Course, scaled
from splatworks_trainer.state import Ending, Kept, Position, RunState, write_state
from splatworks_trainer.stopping import StopReason, StopRule
from splatworks_trainer.strategy import Strategy
from splatworks_trainer.views import Photos
from splatworks_trainer.watch import NO_TREND, Diverged, followed

_REPORTS = 200
"""How many times over a whole run progress is reported and logged."""

_RATE_FACTOR = 0.5
"""Factor on the learning rates after a run went astray."""

_GIANT = 1e3
"""A standard deviation of so many scene scales is no part of a scene any more."""


class Astray(Internal):
    """Training went astray, and setting it back did not help."""


@dataclass(frozen=True)
class Surroundings:
    """What the loop is given beside the work itself.

    Attributes:
        threads: CPU threads to use.
        report: Told of progress.
        log: Written to.
        checkpoint: Keeps the state every ``checkpoint_seconds``.
        live: Where a preview is shown now and then; it decides nothing.
        scratch: A folder of the run's own.
        known: The points whose surroundings count as covered; none where plain PSNR and SSIM are enough.
    """

    threads: int
    report: Report
    log: TrainingLog
    checkpoint: Checkpoint
    live: LiveArtifacts
    scratch: Path
    known: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Fit:
    """What came out of a run.

    Attributes:
        splats: The Gaussians of the best evaluation after their number was fixed; without held-out photos
            the last ones.
        step: After how many steps they were taken.
        ending: How the run ended.
        exposures: The photos' exposures at its end, where they are learned.
        rate_factor: Factor that the learning rates had at its end.
        rng: The source of all random choices still to come.
    """

    splats: Splats
    step: int
    ending: Ending
    exposures: Exposures | None
    rate_factor: float
    rng: np.random.Generator


def fit(
    engine: Engine,
    strategy: Strategy,
    course: Course,
    photos: Photos,
    training: Sequence[int],
    start: Position,
    around: Surroundings,
) -> Fit:
    """Optimises the engine's Gaussians until the course ends or the stop rule says so.

    Held-out photos never train. They do decide when to stop and which model is kept, so their figures are
    those of a validation set: slightly on the good side.

    Args:
        engine: What renders and optimises, in the state that belongs to ``start``.
        strategy: Where Gaussians are added and removed.
        course: What each step uses.
        photos: The photos.
        training: Those to train on, by index.
        start: Where to begin; its ``rng`` is used up.
        around: Where progress, log and states go.

    Raises:
        InputInvalid: No photo is left to train on.
        Preempted: The worker is stopping and the state is kept.
        Astray: Training went astray twice; the message says what was seen, and at which step.
    """
    if not training:
        raise InputInvalid(f"all {len(photos)} photos are held out; training needs at least one")
    work = _Work(engine, strategy, course, photos, training, around, SafePoint(around.scratch), start.step)
    try:
        return _Loop(work, start).run()
    except Diverged as first:
        state = work.safe_point.load()
        if state is None or start.rate_factor < 1:
            raise Astray(_astray(first)) from first
        engine.restore(state.engine)
        trend = state.position.trend
        position = replace(
            state.position, rate_factor=_RATE_FACTOR, trend=trend if trend.is_sound else NO_TREND
        )
        around.log.write(
            "restart", course=course.name, step=position.step, why=str(first), rate_factor=_RATE_FACTOR
        )
    try:
        return _Loop(work, position).run()
    except Diverged as second:
        raise Astray(_astray(second)) from second


@dataclass(frozen=True)
class _Work:
    """What stays the same when a run is set back; ``resumed`` is the step it was resumed from, or 0."""

    engine: Engine
    strategy: Strategy
    course: Course
    photos: Photos
    training: Sequence[int]
    around: Surroundings
    safe_point: SafePoint
    resumed: int


class _Loop:
    """One run from a position to the end; see ``fit``."""

    def __init__(self, work: _Work, start: Position) -> None:
        self._engine, self._strategy, self._course = work.engine, work.strategy, work.course
        self._photos, self._training = work.photos, work.training
        self._around, self._safe_point, self._resumed = work.around, work.safe_point, work.resumed
        self._start = start
        self._preview_camera = preview_camera(self._photos.cameras)
        self._rng = start.rng
        self._order = _Shuffled(self._training, start.rng, start.round)
        self._stop_rule = StopRule(self._course.options, start.seen)
        self._kept, self._trend = start.kept, start.trend
        self._exposures = _exposures(self._course, self._photos, start)
        self._figures = dict(start.figures)
        if self._resumed:
            self._figures["resumed_from_step"] = self._resumed

    def run(self) -> Fit:
        """See ``fit``."""
        course, checkpoint = self._course, self._around.checkpoint
        if self._resumed == self._start.step > 0:
            self._tell(self._resumed, f"Continued from step {self._resumed:,}")
        stop: StopReason | None = None
        step = self._start.step - 1
        for step in range(self._start.step, course.steps):
            if checkpoint.due(course.options.checkpoint_seconds):
                checkpoint.save(partial(write_state, self._state(step)))
            if self._around.live.due(PREVIEW_SECONDS):
                self._around.live.put(PREVIEW_NAME, preview_jpeg(self._engine.render, self._preview_camera))
            begins = step == self._start.step
            if begins or course.safe_before(step):
                self._require_sound(self._engine.splats(), step)
                if begins or self._trend.is_sound:  # a run that goes on has no earlier place to go back to
                    self._safe_point.save(self._state(step))
            result = self._step(step)
            if course.densifies_after(step):
                self._densify(step)
            if self._photos.held_out and course.evaluates_after(step):
                stop = self._evaluate(step)
            self._figures["gaussians"] = self._engine.count
            if (step + 1) % max(1, course.steps // _REPORTS) == 0:
                self._tell(step + 1, course.message(step))
                self._log_progress(step, result)
            if stop:
                break
        best = self._best(step)
        ending = Ending(step + 1, stop or StopReason.MAX_STEPS)
        return Fit(best.splats, best.step, ending, self._exposures, self._start.rate_factor, self._rng)

    def _step(self, step: int) -> StepResult:
        course, size = self._course, self._course.image_size(step)
        rates = scaled(course.rates(step), self._start.rate_factor * self._strategy.rate_factor)
        index = self._order.next()
        view = self._photos.at(index, size)
        result = self._engine.step(
            view.camera,
            view.photo,
            rates,
            self._objective(step),
            mask=None if view.mask is None else view.mask.view(np.uint8),
            exposure=self._exposures[index] if self._exposures else None,
        )
        self._require_finite_loss(result, view.camera.name, step)
        if self._exposures and result.exposure_gradient is not None:
            rate, fitted_on = course.exposure_rate(step), self._photos.training
            self._exposures.learn(index, result.exposure_gradient, rate, fitted_on)
        if length := self._strategy.exploration(rates.means):
            self._engine.perturb(length, int(self._rng.integers(2**63)))
        self._trend = followed(self._trend, result.mse, size, step)
        return result

    def _objective(self, step: int) -> Objective:
        options, penalties = self._course.options, self._strategy.penalties
        assert options.ssim_weight is not None, "the options are settled"
        return Objective(
            sh_degree=self._course.sh_degree(step),
            ssim_weight=options.ssim_weight,
            background=_colour(options.background, self._rng),
            opacity_penalty=penalties.opacity,
            scale_penalty=penalties.scale / self._course.scene_scale,
        )

    def _densify(self, step: int) -> None:
        splats = self._engine.splats()
        self._require_sound(splats, step)
        errors = partial(self._errors, step)
        edit = self._strategy.plan(self._engine.statistics(), errors, splats, step, self._rng)
        self._engine.apply(edit)
        self._around.log.write(
            "edit",
            course=self._course.name,
            step=step + 1,
            removed=int(np.count_nonzero(~edit.keep)),
            added=len(edit.append),
            gaussians=self._engine.count,
        )

    def _errors(self, step: int) -> NDArray[np.float64]:
        looks = min(self._course.error_looks, len(self._training))
        chosen = self._rng.choice(self._training, looks, replace=False)
        size = self._course.image_size(step)
        return blended_errors(self._engine, self._photos, chosen.tolist(), size, self._exposures)

    def _evaluate(self, step: int) -> StopReason | None:
        splats = self._engine.splats()
        self._require_sound(splats, step)
        around, photos = self._around, self._photos
        quality = evaluate(self._engine, photos, photos.held_out, threads=around.threads, known=around.known)
        figures = {"psnr": quality.psnr, "ssim": quality.ssim}
        if quality.covered_psnr is not None:
            figures["covered_psnr"] = quality.covered_psnr
        around.log.write(
            "evaluation", course=self._course.name, step=step + 1, **figures, gaussians=self._engine.count
        )
        self._figures |= figures
        verdict = self._stop_rule.look(
            self._watched(quality),
            psnr=quality.psnr,
            complete=self._course.complete_after(step),
            settled=self._course.settled_after(step),
        )
        if verdict.keep:
            self._kept = Kept(splats, step + 1)
        return verdict.stop

    def _watched(self, quality: Evaluation) -> float:
        """The figure that plateaus are seen in; with learned exposures PSNR is compensated, too."""
        options = self._course.options
        figure: float | None = quality.compensated_psnr if options.exposure else quality.psnr
        if options.plateau_metric is PlateauMetric.COVERED_PSNR:
            figure = quality.covered_psnr
        elif options.plateau_metric is PlateauMetric.SSIM:
            figure = quality.ssim
        return quality.psnr if figure is None else figure

    def _best(self, step: int) -> Kept:
        if self._kept and self._course.keeps_best:
            return self._kept
        splats = self._engine.splats()
        self._require_sound(splats, step)
        return Kept(splats, step + 1)

    def _state(self, step: int) -> RunState:
        position = replace(
            self._start,
            step=step,
            round=tuple(self._order.round),
            seen=self._stop_rule.seen,
            kept=self._kept,
            figures=dict(self._figures),
            exposures=self._exposures.state() if self._exposures else {},
            trend=self._trend,
        )
        log = self._around.log
        return RunState(position, self._engine.state(), log.seconds, log.text())

    def _require_finite_loss(self, result: StepResult, photo: str, step: int) -> None:
        """Ends at the first loss that is not a number, with the name of what spoiled it."""
        if not (math.isfinite(result.loss) and math.isfinite(result.mse)):
            self._require_sound(self._engine.splats(), step)
            raise Diverged(
                f"training step {step}: the loss on photo {photo} is {result.loss}, "
                "though all splats are finite"
            )

    def _require_sound(self, splats: Splats, step: int) -> None:
        if found := not_finite(splats):
            raise Diverged(f"training step {step}: not finite are {found} of {len(splats)} Gaussians")
        giants = np.count_nonzero(splats.log_scales.max(axis=1) > np.log(_GIANT * self._course.scene_scale))
        if giants > len(splats) // 100:
            raise Diverged(
                f"training step {step}: {giants} of {len(splats)} Gaussians are {_GIANT:.0f} times as large "
                "as the scene"
            )

    def _log_progress(self, step: int, result: StepResult) -> None:
        figures = {name: value for name, value in self._figures.items() if name != "resumed_from_step"}
        self._around.log.write(
            "progress",
            course=self._course.name,
            step=step + 1,
            loss=result.loss,
            mse=result.mse,
            image_size=self._course.image_size(step),
            **figures,
        )

    def _tell(self, done: int, message: str) -> None:
        course = self._course
        self._around.report(
            Update(
                course.name,
                done,
                course.steps,
                message,
                self._figures,
                unit="steps",
                resumed=self._resumed,
                share=course.share(done),
                resumed_share=course.share(self._resumed),
            )
        )


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


def _colour(background: Background, rng: np.random.Generator) -> tuple[float, float, float]:
    if background is Background.RANDOM:
        red, green, blue = rng.random(3)
        return float(red), float(green), float(blue)
    value = 1.0 if background is Background.WHITE else 0.0
    return value, value, value


def _exposures(course: Course, photos: Photos, start: Position) -> Exposures | None:
    if not course.options.exposure:
        return None
    return Exposures.restored(start.exposures, len(photos)) if start.exposures else Exposures(len(photos))


def _astray(error: Diverged) -> str:
    return (
        f"{error}. Half the learning rates did not help, or there was nothing to go back to: the cameras or "
        "photos may be wrong. Look at the model in colmap/, and report this with the run's training.log"
    )
