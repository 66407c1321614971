"""How close renders come to photos that training has not seen, in numbers and in pictures.

Colours are compared as a screen shows them: clipped to 0..1. PSNR and SSIM are means over views, the
convention of the Mip-NeRF 360 benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import preview_name
from splatworks_common.reasons import Internal
from splatworks_rasterizer import ssim
from splatworks_rasterizer.metrics import psnr
from splatworks_trainer.engine import Engine
from splatworks_trainer.views import Photos

_JPEG_QUALITY = 90
_HIGHEST_PSNR = 100.0
"""Stands for the infinite PSNR of identical pictures, say two black ones: JSON can not hold that."""

_ERROR_GAIN = 4
"""Errors are drawn four times as strong as they are; at their own strength good renders would show black."""


@dataclass(frozen=True)
class ViewQuality:
    """How close one render comes to its photo: PSNR in dB, SSIM up to 1."""

    name: str
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Evaluation:
    """The quality of all views looked at; at least one."""

    views: tuple[ViewQuality, ...]

    @property
    def psnr(self) -> float:
        """Mean PSNR in dB."""
        return fmean(view.psnr for view in self.views)

    @property
    def ssim(self) -> float:
        """Mean SSIM."""
        return fmean(view.ssim for view in self.views)


def evaluate(engine: Engine, photos: Photos, indices: Sequence[int], *, threads: int) -> Evaluation:
    """Renders the views ``indices`` at the training size and compares them with their photos.

    Raises:
        Internal: A render is not finite.
    """
    views = []
    for index in indices:
        photo, render = _photo_and_render(engine, photos, index)
        decibels = min(psnr(render, photo), _HIGHEST_PSNR)
        views.append(ViewQuality(photos.cameras[index].name, decibels, ssim(render, photo, threads)))
    return Evaluation(tuple(views))


def write_strips(engine: Engine, photos: Photos, indices: Sequence[int], folder: Path) -> None:
    """Writes one JPEG per view into ``folder``: photo, render and their difference side by side.

    Raises:
        Internal: A render is not finite.
    """
    for index in indices:
        photo, render = _photo_and_render(engine, photos, index)
        error = np.clip(np.abs(render - photo) * _ERROR_GAIN, 0, 1)
        strip = np.rint(np.concatenate([photo, render, error], axis=1) * 255).astype(np.uint8)
        path = folder / preview_name(photos.cameras[index].name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(strip).save(path, quality=_JPEG_QUALITY)


def _photo_and_render(
    engine: Engine, photos: Photos, index: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Photo and clipped render of a view, ``[H, W, 3]`` in 0..1."""
    camera, pixels = photos.at(index)
    render = engine.render(camera)
    if not np.isfinite(render).all():
        raise Internal(
            f"the render of {camera.name} is not finite; please report this with the run's training.log"
        )
    return (pixels / 255).astype(np.float32), np.clip(render, 0, 1)
