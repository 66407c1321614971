"""How close renders come to photos that training has not seen, in numbers and in pictures.

Colours are compared as a screen shows them: clipped to 0..1. Figures are means over views, the convention of
the Mip-NeRF 360 benchmark. What a mask ignores counts in no PSNR; in SSIM, whose windows need whole pictures,
it counts as rendered perfectly, as it does in training.

Plain PSNR also tells how differently the camera exposed each photo, and what no other photo showed. So there
are two more that do not: compensated for exposure, and that over covered pixels only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import preview_name
from splatworks_common.reasons import Internal
from splatworks_rasterizer import ssim
from splatworks_rasterizer.metrics import psnr
from splatworks_trainer.coverage import covered_pixels
from splatworks_trainer.engine import Engine
from splatworks_trainer.masks import Mask
from splatworks_trainer.views import Photos, View

_JPEG_QUALITY = 90
_HIGHEST_PSNR = 100.0
"""Stands for the infinite PSNR of identical pictures, say two black ones: JSON can not hold that."""

_ERROR_GAIN = 4
"""Errors are drawn four times as strong as they are; at their own strength good renders would show black."""


@dataclass(frozen=True)
class ViewQuality:
    """How close one render comes to its photo.

    Attributes:
        name: The photo's.
        psnr: Plain PSNR in dB.
        ssim: SSIM, up to 1.
        compensated_psnr: PSNR in dB once a gain and an offset of each colour channel have brought the render
            as close to the photo as they can; none where that was not asked for.
        covered_psnr: The same over covered pixels alone; none also where no pixel is covered.
    """

    name: str
    psnr: float
    ssim: float
    compensated_psnr: float | None = None
    covered_psnr: float | None = None


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

    @property
    def compensated_psnr(self) -> float | None:
        """Mean exposure-compensated PSNR in dB; none where that was not asked for."""
        return _mean(view.compensated_psnr for view in self.views)

    @property
    def covered_psnr(self) -> float | None:
        """Mean covered PSNR in dB over the views that have one; none where none has."""
        return _mean(view.covered_psnr for view in self.views)


def evaluate(
    engine: Engine,
    photos: Photos,
    indices: Sequence[int],
    *,
    threads: int,
    known: NDArray[np.float64] | None = None,
) -> Evaluation:
    """Renders the views ``indices`` at the training size and compares them with their photos.

    Args:
        engine: What renders.
        photos: The photos, with their masks.
        indices: At least one view.
        threads: CPU threads to use.
        known: Sparse points whose surroundings are covered, ``[K, 3]``, see ``coverage.known_points``;
            without them there are plain PSNR and SSIM only, in a quarter of the time.

    Raises:
        Internal: A render is not finite.
    """
    return Evaluation(tuple(_compare(engine, photos.at(index), threads, known) for index in indices))


def exposure_compensated(render: NDArray[np.float32], photo: NDArray[np.float32]) -> NDArray[np.float32]:
    """The render with the gain and the offset of each channel that bring it closest, in least squares.

    Args:
        render: Colours of at least one pixel, ``[..., 3]``.
        photo: Those of the photo, likewise.
    """
    gain, offset = affine_fit(render, photo)
    return (render * gain + offset).astype(np.float32)


def affine_fit(
    render: NDArray[np.float32], photo: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The gain and the offset of each channel, ``[3]`` each, that bring the render closest to the photo.

    Args:
        render: Colours of at least one pixel, ``[..., 3]``.
        photo: Those of the photo, likewise.
    """
    gain, offset = np.zeros(3), np.zeros(3)
    for channel in range(3):
        colour, target = (each[..., channel].astype(np.float64) for each in (render, photo))
        mean, aim = colour.mean(), target.mean()
        colour -= mean
        target -= aim
        variance = np.mean(colour * colour)
        gain[channel] = np.mean(colour * target) / variance if variance > 0 else 0.0
        offset[channel] = aim - gain[channel] * mean
    return gain, offset


def write_strips(engine: Engine, photos: Photos, indices: Sequence[int], folder: Path) -> None:
    """Writes one JPEG per view into ``folder``: photo, render and their difference side by side.

    Where a mask ignores the photo, the difference is black.

    Raises:
        Internal: A render is not finite.
    """
    for index in indices:
        view = photos.at(index)
        photo, render = photo_and_render(engine, view)
        error = np.clip(np.abs(render - photo) * _ERROR_GAIN, 0, 1)
        if view.mask is not None:
            error[~view.mask] = 0
        strip = np.rint(np.concatenate([photo, render, error], axis=1) * 255).astype(np.uint8)
        path = folder / preview_name(view.camera.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(strip).save(path, quality=_JPEG_QUALITY)


def _compare(engine: Engine, view: View, threads: int, known: NDArray[np.float64] | None) -> ViewQuality:
    photo, render = pictures(engine, view)
    counts: Mask | slice = np.s_[:] if view.mask is None else view.mask
    plain = ViewQuality(view.camera.name, _psnr(render[counts], photo[counts]), ssim(render, photo, threads))
    if known is None:
        return plain
    covered = covered_pixels(known, view.camera)
    if view.mask is not None:
        covered &= view.mask
    return replace(
        plain,
        compensated_psnr=_compensated_psnr(render[counts], photo[counts]),
        covered_psnr=_compensated_psnr(render[covered], photo[covered]) if covered.any() else None,
    )


def _psnr(render: NDArray[np.float32], photo: NDArray[np.float32]) -> float:
    return min(psnr(render, photo), _HIGHEST_PSNR)


def _compensated_psnr(render: NDArray[np.float32], photo: NDArray[np.float32]) -> float:
    return _psnr(exposure_compensated(render, photo), photo)


def _mean(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return fmean(known) if known else None


def pictures(
    engine: Engine, view: View, exposure: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``photo_and_render``, and where a mask ignores the photo both are the photo.

    Args:
        engine: What renders.
        view: From where, and the photo.
        exposure: ``[3, 4]``; the photo is compared with the render's colours c as exposure @ (c, 1).
    """
    photo, render = photo_and_render(engine, view)
    if exposure is not None:
        render = np.einsum("ijk,lk->ijl", render, exposure[:, :3]) + exposure[:, 3]
    if view.mask is not None:
        render[~view.mask] = photo[~view.mask]
    return photo, render


def photo_and_render(engine: Engine, view: View) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Photo and clipped render of a view, ``[H, W, 3]`` in 0..1.

    Raises:
        Internal: The render is not finite.
    """
    render = engine.render(view.camera)
    if not np.isfinite(render).all():
        raise Internal(
            f"the render of {view.camera.name} is not finite; please report this with the run's training.log"
        )
    return np.divide(view.photo, 255, dtype=np.float32), np.clip(render, 0, 1)
