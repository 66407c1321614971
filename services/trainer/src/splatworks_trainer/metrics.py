"""The figures of a finished run: the summary for callers, and ``metrics.json`` with all the rest."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from splatworks_trainer.engine import Engine
from splatworks_trainer.evaluate import Evaluation, evaluate, pictures
from splatworks_trainer.lpips import Lpips, lpips_of
from splatworks_trainer.scene import Scene
from splatworks_trainer.stopping import StopReason

_MOST_TRAINING_VIEWS = 8


@dataclass(frozen=True)
class TrainSummary:
    """What a caller wants to know at a glance; ``metrics.json`` has the rest.

    Attributes:
        psnr: Held-out mean PSNR in dB; none where no photo was held out.
        ssim: Held-out mean SSIM; none likewise.
        compensated_psnr: As ``psnr``, after each photo's exposure was compensated.
        covered_psnr: As that, over what training photos cover.
        gaussians: How many Gaussians the model has.
        steps: How many optimisation steps were done before the figures were taken.
        stop_reason: Why no more were done.
        seconds: Wall time of the whole stage, earlier attempts included.
        peak_memory_bytes: The largest resident memory of this process so far.
    """

    psnr: float | None
    ssim: float | None
    compensated_psnr: float | None
    covered_psnr: float | None
    gaussians: int
    steps: int
    stop_reason: StopReason
    seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class Quality:
    """How good a model is.

    Attributes:
        held_out: On all held-out photos; none where there are none.
        training: On a few of those trained on: far better means overfit.
        lpips: On all held-out photos.
    """

    held_out: Evaluation | None
    training: Evaluation
    lpips: Lpips


def quality_of(engine: Engine, scene: Scene, threads: int) -> Quality:
    """Compares renders of a model with photos as they are: learned exposures are not applied."""
    photos, training = scene.photos, spread(scene.photos.training, _MOST_TRAINING_VIEWS)
    held_out = None
    if photos.held_out:
        held_out = evaluate(engine, photos, photos.held_out, threads=threads, known=scene.known)
    return Quality(
        held_out,
        evaluate(engine, photos, training, threads=threads),
        lpips_of((pictures(engine, photos.at(index)) for index in photos.held_out), threads=threads),
    )


def metrics(
    summary: TrainSummary, scene: Scene, quality: Quality, polish_steps: int, details: Mapping[str, object]
) -> dict[str, object]:
    """The content of ``metrics.json``.

    Args:
        summary: The figures at a glance.
        scene: What was trained on.
        quality: That of the model before the polish.
        polish_steps: How long that was.
        details: What else there is to tell.
    """
    held_out, photos = quality.held_out, scene.photos
    return {
        "version": 2,
        **asdict(summary),
        "planned_steps": scene.schedule.steps,
        "polish_steps": polish_steps,
        **details,
        "photos": len(photos),
        "held_out": len(photos.held_out),
        "remark": _remark(scene, polish_steps),
        "views": [asdict(view) for view in held_out.views] if held_out else [],
        "training_psnr": quality.training.psnr,
        "training_ssim": quality.training.ssim,
        "lpips": quality.lpips.mean,
        "lpips_remark": quality.lpips.reason,
        "scene_scale": scene.schedule.scene_scale,
        "options": asdict(scene.options),
    }


def _remark(scene: Scene, polish_steps: int) -> str | None:
    photos, target = scene.photos, scene.options.target_psnr
    if not photos.held_out:
        inert = "" if target is None else ", and the target PSNR was never looked at"
        return f"No photo was held out of {len(photos)}, so quality on unseen views is unknown{inert}."
    if polish_steps:
        return f"Figures were taken before the last {polish_steps} steps, which used all photos."
    return None


def spread(indices: Sequence[int], most: int) -> list[int]:
    """At most ``most`` of the indices, evenly spread."""
    if len(indices) <= most:
        return list(indices)
    return [indices[round(i * (len(indices) - 1) / (most - 1))] for i in range(most)]


def peak_memory_bytes() -> int:
    """The largest resident memory of this process so far.

    Linux tells it in ``/proc``; what ``getrusage`` says there may be that of the process that began this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
