"""What a finished run leaves behind, made up: figures, log, cameras and strips.

The run went astray once, after step 80, and went on from step 60; a polish of 10 steps followed the fit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from splatworks_common.cameras import preview_name, write_cameras
from splatworks_trainer.config import STANDARD
from tests.unit.trainer.captures import ring

WIDTH, HEIGHT = 60, 40
PHOTO, RENDER, ERROR = (200, 40, 40), (40, 40, 200), (0, 0, 0)
"""The colours of a strip's panels."""


def write_run(
    folder: Path,
    *,
    photos: Sequence[str] = ("a.jpg", "b.jpg", "c.jpg"),
    held_out: bool = True,
    metrics: Mapping[str, Any] | None = None,
    events: Sequence[Mapping[str, Any]] = (),
    strip: np.ndarray | None = None,
) -> Path:
    """Fills the folder.

    Args:
        folder: The folder.
        photos: Their names; all have a strip.
        held_out: Whether they are held-out photos, with figures.
        metrics: Further figures.
        events: Further lines of the log, before the end of the fit.
        strip: The strip of each photo.
    """
    names = list(photos)
    views = [{"name": name, "psnr": 25.0 + i, "ssim": 0.8} for i, name in enumerate(names)]
    figures = {
        "version": 1,
        "psnr": 26.0,
        "ssim": 0.8,
        "gaussians": 20_000,
        "steps": 100,
        "stop_reason": "max_steps",
        "seconds": 75.0,
        "peak_memory_bytes": 300_000_000,
        "planned_steps": 120,
        "model_step": 100,
        "remark": None,
        "views": views,
        "options": json.loads(json.dumps(asdict(STANDARD))),
        **({} if held_out else {"psnr": None, "ssim": None, "views": []}),
        **(metrics or {}),
    }
    (folder / "metrics.json").write_text(json.dumps(figures))
    fit = [
        *(_progress(step, 2 + step / 2) for step in range(10, 81, 10)),
        {"event": "edit", "seconds": 42.0, "step": 80, "gaussians": 19_999, "course": "train"},
        {"event": "restart", "seconds": 42.0, "step": 60, "rate_factor": 0.5, "course": "train"},
        *(_progress(step, 12 + step / 2) for step in range(70, 101, 10)),
    ]
    evaluations = [
        {
            "event": "evaluation",
            "seconds": seconds,
            "step": step,
            "psnr": 20 + step / 20,
            "ssim": 0.7,
            "course": "train",
        }
        for step, seconds in ((50, 27.0), (100, 62.0))
    ]
    log = [
        {"event": "start", "seconds": 2.0, "photos": len(names), "options": asdict(STANDARD)},
        *sorted([*fit, *(evaluations if held_out else [])], key=lambda line: line["seconds"]),
        *events,
        {"event": "stop", "seconds": 62.0, "step": 100, "reason": "max_steps", "course": "train"},
        {"event": "significance", "seconds": 65.0, "gaussians": 9_990},
    ]
    if held_out:
        log += [
            *(_progress(step, 67 + step / 5) | {"course": "polish", "loss": 50.0} for step in (5, 10)),
            {"event": "stop", "seconds": 70.0, "step": 10, "reason": "polished", "course": "polish"},
        ]
    (folder / "training.log").write_text("".join(json.dumps(line) + "\n" for line in log))
    cameras = [
        type(camera)(**{**camera.__dict__, "name": name})
        for camera, name in zip(ring(len(names)), names, strict=True)
    ]
    write_cameras(folder / "cameras.json", cameras)
    (folder / "renders").mkdir()
    panels = [np.full((HEIGHT, WIDTH, 3), colour, np.uint8) for colour in (PHOTO, RENDER, ERROR)]
    picture = np.concatenate(panels, axis=1) if strip is None else strip
    for name in names:
        Image.fromarray(picture).save(folder / "renders" / preview_name(name), quality=90)
    return folder


def _progress(step: int, seconds: float) -> dict[str, Any]:
    return {
        "event": "progress",
        "seconds": seconds,
        "step": step,
        "loss": 1 / step,
        "image_size": 0.5 if step <= 50 else 1.0,
        "gaussians": 100 * step,
        "course": "train",
    }
