"""The trainer's entry point: from sfm's COLMAP model to Gaussians with figures that say how good they are.

``train`` reads like the recipe. It assumes undistorted pinhole photos (``dense/`` of sfm's output) and never
changes the model's frame: the Gaussians lie where COLMAP's points lie.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from splatworks_common.cameras import Camera, write_cameras
from splatworks_common.checkpoints import NO_CHECKPOINT, Checkpoint
from splatworks_common.ply import write_ply
from splatworks_common.progress import Report, Update
from splatworks_common.splats import SH_REST_BY_DEGREE, Splats
from splatworks_trainer.colmap import ColmapModel, read_model
from splatworks_trainer.config import TrainOptions
from splatworks_trainer.engine import Engine, EngineFactory
from splatworks_trainer.engines.native import NativeEngine
from splatworks_trainer.evaluate import Evaluation, evaluate, write_strips
from splatworks_trainer.fit import Fit, fit
from splatworks_trainer.gaps import points_in_gaps
from splatworks_trainer.initial import scene_scale, splats_from_points
from splatworks_trainer.log import TrainingLog
from splatworks_trainer.schedule import Schedule, planned_steps
from splatworks_trainer.state import Position, RunState, read_state
from splatworks_trainer.stopping import StopReason
from splatworks_trainer.strategy import AdaptiveDensityControl
from splatworks_trainer.views import Photos, split_held_out

logger = logging.getLogger(__name__)

_MOST_STRIPS = 24
_MOST_TRAINING_VIEWS = 8


@dataclass(frozen=True)
class TrainSummary:
    """What a caller wants to know at a glance; ``metrics.json`` has the rest.

    Attributes:
        psnr: Held-out mean PSNR in dB; none where no photo was held out.
        ssim: Held-out mean SSIM; none likewise.
        gaussians: How many Gaussians the model has.
        steps: How many optimisation steps were done.
        stop_reason: Why no more were done.
        seconds: Wall time of the whole stage, earlier attempts included.
        peak_memory_bytes: The largest resident memory of this process so far.
    """

    psnr: float | None
    ssim: float | None
    gaussians: int
    steps: int
    stop_reason: StopReason
    seconds: float
    peak_memory_bytes: int


def train(
    colmap: Path,
    output: Path,
    options: TrainOptions,
    report: Report,
    threads: int,
    *,
    checkpoint: Checkpoint = NO_CHECKPOINT,
    make_engine: EngineFactory = NativeEngine,
    clock: Callable[[], float] = time.monotonic,
) -> TrainSummary:
    """Trains Gaussians on an undistorted COLMAP model.

    The same model, options and version give the same ``model.ply`` to the byte, for any number of threads and
    however often the run was cut short and went on from ``checkpoint``.

    Args:
        colmap: sfm's output; ``dense/images`` and ``dense/sparse`` are read.
        output: Where ``model.ply``, ``cameras.json``, ``metrics.json``, ``training.log`` and ``renders/`` go.
        options: What the caller chose.
        report: Told of progress in the steps of ``steps.STEPS``.
        threads: CPU threads to use.
        checkpoint: Keeps the state of the run; it goes on from what is there.
        make_engine: Makes what renders and optimises; the promise above is the native engine's.
        clock: Seconds for the figures; decides nothing.

    Raises:
        InputNotFound: A file of the model is missing.
        InputInvalid: The model or a photo can not be trained on.
        Internal: Training met a number that is not finite.
        Preempted: The worker is stopping, and the state is kept.
    """
    began = clock()
    output.mkdir(parents=True, exist_ok=True)
    resumed = _resume(checkpoint, options, threads, make_engine)
    if resumed:
        began -= resumed.state.seconds
    before = resumed.state.log if resumed else ""
    with TrainingLog(output / "training.log", lambda: clock() - began, before) as log:
        model = read_model(colmap / "dense" / "sparse")
        cameras = split_held_out(model.cameras, options.hold_out_every)
        photos = Photos(colmap / "dense" / "images", cameras, max_side=options.max_image_side)
        _load_photos(photos, report)

        scale = scene_scale(cameras, model.points)
        schedule = Schedule(planned_steps(options, len(photos)), scale, options)
        strategy = AdaptiveDensityControl(
            max_gaussians=options.max_gaussians,
            whole_budget_at=schedule.last_densifying_step,
            grow_gradient=options.grow_gradient,
            split_length=options.split_scale * scale,
            prune_opacity=options.prune_opacity,
        )
        if resumed:
            engine, start = resumed.engine, resumed.state.position
            log.write("resume", step=start.step, gaussians=engine.count, threads=threads)
        else:
            start = Position(np.random.default_rng(options.seed))
            initial = _initial_splats(model, cameras, photos, options, start.rng)
            engine = make_engine(initial, capacity=options.max_gaussians, threads=threads)
            log.write(
                "start",
                photos=len(photos),
                held_out=len(photos.held_out),
                points=len(model.points),
                gaussians=len(initial),
                steps=schedule.steps,
                scene_scale=scale,
                threads=threads,
                options=asdict(options),
            )
        trained = fit(
            engine,
            strategy,
            schedule,
            photos,
            start=start,
            threads=threads,
            report=report,
            log=log,
            checkpoint=checkpoint,
        )
        log.write("stop", step=trained.steps, reason=trained.stop_reason, kept_step=trained.step)

    report(Update("evaluate", 0, 1, "Comparing renders with photos"))
    final = make_engine(trained.splats, capacity=len(trained.splats), threads=threads)
    held_out, training = _final_quality(final, photos, threads)
    write_strips(final, photos, _spread(photos.held_out or photos.training, _MOST_STRIPS), output / "renders")

    report(Update("export", 0, 1, "Writing the model"))
    write_ply(output / "model.ply", trained.splats)
    write_cameras(output / "cameras.json", photos.cameras)
    summary = TrainSummary(
        psnr=held_out.psnr if held_out else None,
        ssim=held_out.ssim if held_out else None,
        gaussians=len(trained.splats),
        steps=trained.steps,
        stop_reason=trained.stop_reason,
        seconds=round(clock() - began, 3),
        peak_memory_bytes=_peak_memory_bytes(),
    )
    metrics = _metrics(summary, trained, schedule, photos, held_out, training)
    (output / "metrics.json").write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    report(Update("export", 1, 1, "Writing the model"))
    return summary


@dataclass(frozen=True)
class _Resumed:
    engine: Engine
    state: RunState


def _resume(
    checkpoint: Checkpoint, options: TrainOptions, threads: int, make_engine: EngineFactory
) -> _Resumed | None:
    """The engine and the rest of the state where an earlier attempt got to, if that can be used."""
    folder = checkpoint.load()
    if folder is None:
        return None
    nothing = Splats(
        **{name: np.zeros((0, 3), np.float32) for name in ("means", "log_scales", "sh0")},
        quats=np.zeros((0, 4), np.float32),
        opacities=np.zeros(0, np.float32),
        shN=np.zeros((0, SH_REST_BY_DEGREE[options.sh_degree], 3), np.float32),
    )
    engine = make_engine(nothing, capacity=options.max_gaussians, threads=threads)
    try:
        state = read_state(folder)
        engine.restore(state.engine)
    except ValueError as error:
        logger.warning("the checkpoint is not used, training begins anew: %s", error)
        return None
    return _Resumed(engine, state)


def _initial_splats(
    model: ColmapModel,
    cameras: Sequence[Camera],
    photos: Photos,
    options: TrainOptions,
    rng: np.random.Generator,
) -> Splats:
    points, colors = model.points, model.colors
    if options.fill_gaps:
        points, colors = points_in_gaps(points, colors, photos)
    return splats_from_points(
        points,
        colors,
        cameras,
        sh_degree=options.sh_degree,
        max_gaussians=options.max_gaussians,
        rng=rng,
    )


def _load_photos(photos: Photos, report: Report) -> None:
    """Decodes every photo once, so that a bad one ends the run now and not in the middle."""
    for index in range(len(photos)):
        photos.at(index)
        report(Update("load", index + 1, len(photos), "Loading photos", unit="photos"))


def _final_quality(engine: Engine, photos: Photos, threads: int) -> tuple[Evaluation | None, Evaluation]:
    """Quality on all held-out photos, if any, and on a few of those trained on (far better means overfit)."""
    held_out = evaluate(engine, photos, photos.held_out, threads=threads) if photos.held_out else None
    return held_out, evaluate(engine, photos, _spread(photos.training, _MOST_TRAINING_VIEWS), threads=threads)


def _metrics(
    summary: TrainSummary,
    trained: Fit,
    schedule: Schedule,
    photos: Photos,
    held_out: Evaluation | None,
    training: Evaluation,
) -> dict[str, object]:
    """The content of ``metrics.json``; every figure describes ``model.ply`` as written."""
    remark = (
        None
        if held_out
        else f"No photo was held out of {len(photos)}, so quality on unseen views is unknown."
    )
    return {
        "version": 1,
        **asdict(summary),
        "planned_steps": schedule.steps,
        "model_step": trained.step,
        "photos": len(photos),
        "held_out": len(photos.held_out),
        "remark": remark,
        "views": [asdict(view) for view in held_out.views] if held_out else [],
        "training_psnr": training.psnr,
        "training_ssim": training.ssim,
        "scene_scale": schedule.scene_scale,
        "options": asdict(schedule.options),
    }


def _spread(indices: Sequence[int], most: int) -> list[int]:
    """At most ``most`` of the indices, evenly spread."""
    if len(indices) <= most:
        return list(indices)
    return [indices[round(i * (len(indices) - 1) / (most - 1))] for i in range(most)]


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
