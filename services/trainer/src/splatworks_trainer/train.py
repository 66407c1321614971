"""The trainer's entry point: from sfm's COLMAP model to Gaussians with figures that say how good they are.

``train`` reads like the recipe: fit on the photos that are not held out, remove what photos hardly show,
measure, polish on all photos, export. It assumes undistorted pinhole photos (``dense/`` of sfm's output) and
never changes the model's frame: the Gaussians lie where COLMAP's points lie.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from splatworks_common.cameras import write_cameras
from splatworks_common.checkpoints import NO_CHECKPOINT, Checkpoint
from splatworks_common.live import NOTHING_LIVE, LiveArtifacts
from splatworks_common.ply import write_ply
from splatworks_common.progress import Report, Update
from splatworks_common.splats import SH_REST_BY_DEGREE, Splats
from splatworks_trainer.choice import settled
from splatworks_trainer.config import STANDARD, PlateauMetric, TrainOptions
from splatworks_trainer.engine import Engine, EngineFactory
from splatworks_trainer.engines.choice import choose_engine
from splatworks_trainer.evaluate import evaluate, write_strips
from splatworks_trainer.exposure import Exposures, exposures_of_unseen
from splatworks_trainer.fit import Astray, Fit, Surroundings, fit
from splatworks_trainer.log import TrainingLog
from splatworks_trainer.memory import require_gpu_memory
from splatworks_trainer.metrics import (
    Quality,
    TrainSummary,
    metrics,
    peak_memory_bytes,
    quality_of,
    spread,
)
from splatworks_trainer.report import write_report
from splatworks_trainer.scene import Scene, open_scene
from splatworks_trainer.schedule import Polish
from splatworks_trainer.significance import significance, worth_keeping
from splatworks_trainer.state import Ending, Kept, Position, read_state
from splatworks_trainer.turntable import write_turntable

__all__ = ["TrainSummary", "train"]

logger = logging.getLogger(__name__)

_MOST_STRIPS = 24


def train(
    colmap: Path,
    output: Path,
    options: TrainOptions,
    report: Report,
    threads: int,
    *,
    checkpoint: Checkpoint = NO_CHECKPOINT,
    live: LiveArtifacts = NOTHING_LIVE,
    defaults: TrainOptions = STANDARD,
    make_engine: EngineFactory | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> TrainSummary:
    """Trains Gaussians on an undistorted COLMAP model.

    The same model, options and version give the same ``model.ply`` on the native engine and one instruction
    set to the byte, for any number of threads and however often the run was cut short and went on from
    ``checkpoint``; only a run that goes astray after it was cut short may be set back to another step than
    one that was not.

    Args:
        colmap: sfm's output; ``dense/images``, ``dense/masks`` and ``dense/sparse`` are read.
        output: Where ``model.ply``, ``cameras.json``, ``metrics.json``, ``training.log``, ``renders/``,
            ``turntable.mp4`` and ``report.html`` go.
        options: What the caller chose.
        report: Told of progress in the steps of ``steps.STEPS``.
        threads: CPU threads to use.
        checkpoint: Keeps the state of the run; it goes on from what is there.
        live: Where a preview is shown while training goes on.
        defaults: The options of the profile that the caller chose from, for the report.
        make_engine: Makes what renders and optimises; by default what the options choose.
        clock: Seconds for the figures; decides nothing.

    Raises:
        InputNotFound: A file of the model is missing.
        InputInvalid: The model or a photo can not be trained on.
        OutOfMemory: The budget of Gaussians does not fit; the message says how many do.
        Internal: Training went astray twice.
        Preempted: The worker is stopping, and the state is kept.
    """
    began = clock()
    output.mkdir(parents=True, exist_ok=True)
    chosen = choose_engine(options.engine, require_gpu=options.require_gpu, absgrad=options.absgrad)
    if chosen.gpu_bytes is not None:
        require_gpu_memory(options.max_gaussians, chosen.gpu_bytes)
    scene = open_scene(colmap / "dense", options, chosen.name, report, threads)
    engines = _Engines(make_engine or chosen.make, scene.options, threads)
    beginning = _resumed(checkpoint, engines, scene) or _begun(engines, scene, report)
    began -= beginning.seconds
    with (
        TrainingLog(output / "training.log", lambda: clock() - began, beginning.log) as log,
        tempfile.TemporaryDirectory(prefix="training-") as scratch,
    ):
        watches_coverage = options.exposure or options.plateau_metric is PlateauMetric.COVERED_PSNR
        known = scene.known if watches_coverage else None
        around = Surroundings(threads, report, log, checkpoint, live, Path(scratch), known)
        engine, position = beginning.engine, beginning.position
        del beginning  # it holds the engine, which is to go when it has done its part
        _log_beginning(log, scene, engine, position, chosen.name, threads)
        if position.fitted is None:
            fitted = fit(
                engine, scene.strategy, scene.schedule, scene.photos, scene.photos.training, position, around
            )
            del engine
            position = _measurable(fitted, engines, scene, around)
            engine = engines.training(position.model.splats)
        report(Update("evaluate", 0, 1, "Comparing renders with photos"))
        quality = _measure(position, engines, scene, output / "renders")
        splats, polish_steps = _polish(engine, position, scene, around)
        del engine

    report(Update("export", 0, 1, "Writing the model"))
    write_ply(output / "model.ply", splats, antialiased=scene.options.antialiased)
    cameras = scene.photos.cameras
    write_cameras(output / "cameras.json", cameras)
    showing = engines.showing(splats)
    film = output / "turntable.mp4"
    no_turntable = _beside_the_model(
        film, lambda: write_turntable(showing.render, cameras, film, threads=threads)
    )
    summary = _summary(quality, position.ending, len(splats), clock() - began)
    details = {
        "engine": chosen.name,
        "device": chosen.device,
        "model_step": position.model.step,
        "rate_factor": position.rate_factor,
        **{name: position.figures.get(name) for name in _PRUNING_FIGURES},
        "turntable_remark": no_turntable,
    }
    document = metrics(summary, scene, quality, polish_steps, details)
    (output / "metrics.json").write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    profile = asdict(settled(defaults, chosen.name, len(cameras)))
    _beside_the_model(output / "report.html", lambda: write_report(output, defaults=profile))
    report(Update("export", 1, 1, "Writing the model"))
    return summary


@dataclass(frozen=True)
class _Engines:
    """Makes the engines of one run.

    Attributes:
        make: The kind.
        options: The options, settled.
        threads: CPU threads each may use.
    """

    make: EngineFactory
    options: TrainOptions
    threads: int

    def training(self, splats: Splats) -> Engine:
        """One that has room for the whole budget."""
        return self._made(splats, self.options.max_gaussians)

    def showing(self, splats: Splats) -> Engine:
        """One that only renders."""
        return self._made(splats, len(splats))

    def _made(self, splats: Splats, capacity: int) -> Engine:
        return self.make(
            splats, capacity=capacity, threads=self.threads, antialiased=self.options.antialiased
        )


@dataclass(frozen=True)
class _Beginning:
    """Where a run begins, or goes on, with the time it took so far and its log."""

    engine: Engine
    position: Position
    seconds: float = 0.0
    log: str = ""


def _begun(engines: _Engines, scene: Scene, report: Report) -> _Beginning:
    rng = np.random.default_rng(scene.options.seed)
    return _Beginning(engines.training(scene.first_splats(rng, report, engines.threads)), Position(rng))


def _resumed(checkpoint: Checkpoint, engines: _Engines, scene: Scene) -> _Beginning | None:
    """Where an earlier attempt got to, if that can be used."""
    folder = checkpoint.load()
    if folder is None:
        return None
    nothing = Splats(
        **{name: np.zeros((0, 3), np.float32) for name in ("means", "log_scales", "sh0")},
        quats=np.zeros((0, 4), np.float32),
        opacities=np.zeros(0, np.float32),
        shN=np.zeros((0, SH_REST_BY_DEGREE[engines.options.sh_degree], 3), np.float32),
    )
    engine, photos = engines.training(nothing), len(scene.photos)
    try:
        state = read_state(folder)
        engine.restore(state.engine)
        if not all(0 <= index < photos for index in state.position.round):
            raise ValueError(f"it is a state of more than {photos} photos")
        if state.position.exposures:
            Exposures.restored(state.position.exposures, photos)
    except ValueError as error:
        logger.warning("the checkpoint is not used, training begins anew: %s", error)
        return None
    return _Beginning(engine, state.position, state.seconds, state.log)


def _log_beginning(
    log: TrainingLog, scene: Scene, engine: Engine, position: Position, name: str, threads: int
) -> None:
    if position.step or position.fitted:
        log.write("resume", step=position.step, gaussians=engine.count, threads=threads)
        return
    log.write(
        "start",
        photos=len(scene.photos),
        held_out=len(scene.photos.held_out),
        points=len(scene.model.points),
        gaussians=engine.count,
        steps=scene.schedule.steps,
        scene_scale=scene.schedule.scene_scale,
        engine=name,
        threads=threads,
        options=asdict(scene.options),
    )


_PRUNING_FIGURES = ("insignificant", "psnr_before_pruning", "psnr_after_pruning")


def _measurable(fitted: Fit, engines: _Engines, scene: Scene, around: Surroundings) -> Position:
    """Where the polish begins, with the model to measure: what fitting gave, less what is insignificant."""
    around.log.write(
        "stop",
        course=scene.schedule.name,
        step=fitted.ending.steps,
        reason=fitted.ending.stop_reason,
        kept_step=fitted.step,
    )
    splats, figures = _without_insignificant(fitted.splats, engines, scene)
    around.log.write("significance", gaussians=len(splats), **figures)
    exposures = fitted.exposures
    if exposures:
        exposures_of_unseen(exposures, engines.showing(splats), scene.photos)
    return Position(
        fitted.rng,
        kept=Kept(splats, fitted.step),
        figures=figures,
        exposures=exposures.state() if exposures else {},
        rate_factor=fitted.rate_factor,
        fitted=fitted.ending,
    )


def _without_insignificant(
    splats: Splats, engines: _Engines, scene: Scene
) -> tuple[Splats, dict[str, float]]:
    """The Gaussians that photos show (see ``significance``), and what that changed."""
    photos, share = scene.photos, scene.options.prune_significance
    if share == 0:
        return splats, {}
    engine = engines.showing(splats)
    kept = splats.take(worth_keeping(significance(engine, photos, photos.training), share))
    figures: dict[str, float] = {"insignificant": len(splats) - len(kept)}
    if photos.held_out:
        for name, shown in (("psnr_before_pruning", engine), ("psnr_after_pruning", engines.showing(kept))):
            figures[name] = evaluate(shown, photos, photos.held_out, threads=engines.threads).psnr
    return kept, figures


def _measure(position: Position, engines: _Engines, scene: Scene, renders: Path) -> Quality:
    engine, photos = engines.showing(position.model.splats), scene.photos
    write_strips(engine, photos, spread(photos.held_out or photos.training, _MOST_STRIPS), renders)
    return quality_of(engine, scene, engines.threads)


def _polish(engine: Engine, position: Position, scene: Scene, around: Surroundings) -> tuple[Splats, int]:
    """The Gaussians after some steps on all photos, and how many those were.

    None where no photo was held out, as training had them all, and where they lead astray: what was measured
    is good.
    """
    photos, measured = scene.photos, position.model.splats
    course = Polish(round(scene.options.polish * position.ending.steps), scene.schedule)
    if not (photos.held_out and course.steps):
        return measured, 0
    try:
        polished = fit(engine, scene.strategy, course, photos, range(len(photos)), position, around)
    except Astray as error:
        around.log.write("stop", course=course.name, step=0, reason="astray", why=str(error))
        return measured, 0
    around.log.write("stop", course=course.name, step=course.steps, reason="polished")
    return polished.splats, course.steps


def _beside_the_model(path: Path, write: Callable[[], object]) -> str | None:
    """Calls what writes a file that the model can do without; what was wrong, if it can not be written.

    The run ends well all the same: to fail it would lose a finished model, in this attempt and in every one
    after it.
    """
    try:
        write()
    except Exception as error:
        logger.exception("%s can not be written", path.name)
        path.unlink(missing_ok=True)
        return f"{path.name} could not be written: {error!r}"
    return None


def _summary(quality: Quality, ending: Ending, gaussians: int, seconds: float) -> TrainSummary:
    held_out = quality.held_out
    return TrainSummary(
        psnr=held_out.psnr if held_out else None,
        ssim=held_out.ssim if held_out else None,
        compensated_psnr=held_out.compensated_psnr if held_out else None,
        covered_psnr=held_out.covered_psnr if held_out else None,
        gaussians=gaussians,
        steps=ending.steps,
        stop_reason=ending.stop_reason,
        seconds=round(seconds, 3),
        peak_memory_bytes=peak_memory_bytes(),
    )
