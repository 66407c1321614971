"""What compression cost, measured by rendering: before and after, from the cameras of the training.

Two figures that answer two questions. How close are the renders to those of the uncompressed scene? And by
how much did the distance to photos of the capture grow? Only the second one is a loss that a person could
notice; the first is the sharper instrument. The photos are those by which the trainer measured its model. It
may have polished the model on them since, so the distance itself says nothing of views never seen; what
compression adds to it is measured all the same.

Colours are compared as a screen shows them, clipped to 0..1; figures of several views are the mean of their
PSNR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_common.splats import Splats
from splatworks_rasterizer import render
from splatworks_rasterizer.metrics import psnr

MAX_PSNR = 100.0
"""Reported for equal images, whose PSNR is infinite; a difference of one in 100,000 of full scale."""


@dataclass(frozen=True)
class Fidelity:
    """How well a compressed scene stands for the original; PSNR in dB.

    Attributes:
        views: Number of views rendered.
        psnr: Decoded against original renders.
        photo_views: Number of views compared with photos.
        photo_psnr_before: Original renders against those photos; None where there are none.
        photo_psnr_after: Decoded renders against them; None where there are none.
    """

    views: int
    psnr: float
    photo_views: int
    photo_psnr_before: float | None
    photo_psnr_after: float | None

    @property
    def psnr_loss(self) -> float | None:
        """By how much PSNR against photos fell, in dB; None where the trainer held none out."""
        if self.photo_psnr_before is None or self.photo_psnr_after is None:
            return None
        return self.photo_psnr_before - self.photo_psnr_after


def measure(
    original: Splats,
    decoded: Splats,
    cameras: Sequence[Camera],
    photos: Path | None,
    *,
    antialiased: bool,
    max_views: int,
    threads: int,
    progress: Callable[[int, int], None],
) -> Fidelity:
    """Renders both scenes and compares them.

    Args:
        original: The scene before compression.
        decoded: The scene as a reader of the compressed files sees it.
        cameras: At least one, at the size to render.
        photos: The folder of the cameras' photos; None leaves the figures against photos out.
        antialiased: Whether the scenes are drawn with Mip-Splatting's 2D filter.
        max_views: Views to render: all that the trainer held out, and others evenly spaced up to this number.
        threads: Threads of the renderer.
        progress: Called with views done and views in all.

    Raises:
        InputNotFound: A photo to compare with is not in the folder.
        InputInvalid: A photo to compare with can not be decoded.
    """
    views = chosen_views(cameras, max_views)
    to_original, before, after = [], [], []
    for done, camera in enumerate(views):
        progress(done, len(views))
        first, second = (
            np.clip(render(scene, camera, threads=threads, antialiased=antialiased), 0, 1)
            for scene in (original, decoded)
        )
        to_original.append(_psnr(second, first))
        if camera.held_out and photos is not None:
            photo = _photo(photos / camera.name, camera)
            before.append(_psnr(first, photo))
            after.append(_psnr(second, photo))
    return Fidelity(
        views=len(views),
        psnr=fmean(to_original),
        photo_views=len(before),
        photo_psnr_before=fmean(before) if before else None,
        photo_psnr_after=fmean(after) if after else None,
    )


def chosen_views(cameras: Sequence[Camera], max_views: int) -> list[Camera]:
    """All cameras that the trainer held out, and others evenly spaced up to ``max_views`` in all."""
    held_out = [camera for camera in cameras if camera.held_out]
    others = [camera for camera in cameras if not camera.held_out]
    room = min(len(others), max(0, max_views - len(held_out)))
    return held_out + [others[i * len(others) // room] for i in range(room)]


def _psnr(image: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    return min(float(psnr(image, reference)), MAX_PSNR)


def _photo(path: Path, camera: Camera) -> NDArray[np.float32]:
    """A photo at its camera's size, ``[H, W, 3]`` in 0..1."""
    if not path.is_file():
        raise InputNotFound(f"photo {camera.name} of cameras.json is not among the photos")
    try:
        with Image.open(path) as image:
            pixels = image.convert("RGB").resize((camera.width, camera.height), Image.Resampling.LANCZOS)
    except (OSError, Image.DecompressionBombError) as error:
        raise InputInvalid(f"photo {camera.name} can not be decoded: {error}") from error
    return np.asarray(pixels, np.float32) / np.float32(255)
