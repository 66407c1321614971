"""The photos and their cameras at every size of the resolution pyramid.

A photo is decoded once to the training size, kept as uint8, and smaller levels are averaged from that.
Cameras follow exactly: pixel centres lie at +0.5, so the principal point scales with the image, and width and
height scale by what they really became after rounding. Decoded photos are cached under a memory limit; beyond
it they are decoded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid

Photo = NDArray[np.uint8]
"""One photo, ``[H, W, 3]`` red, green, blue."""

_SMALLEST_SIDE = 32
"""A level's longest side is never less: SSIM's window is 11 pixels, and below that there is nothing to
learn."""

_CACHE_BYTES = 1 << 30


class Photos:
    """Photos with their cameras, by index, at any level of the pyramid.

    Args:
        folder: Where the undistorted photos lie.
        cameras: Their cameras at the size of the files.
        max_side: Longest side of the training size in pixels; photos are never enlarged.
        cache_bytes: How much memory decoded photos may use.

    Attributes:
        cameras: The cameras at the training size, in the same order.
        training: Indices of the photos to train on.
        held_out: Indices of the photos kept away from training.
    """

    def __init__(
        self, folder: Path, cameras: Sequence[Camera], *, max_side: int, cache_bytes: int = _CACHE_BYTES
    ) -> None:
        self._folder = folder
        self._originals = tuple(cameras)
        self.cameras = tuple(
            _reduced(camera, max_side / max(camera.width, camera.height)) for camera in cameras
        )
        self.training = tuple(i for i, camera in enumerate(cameras) if not camera.held_out)
        self.held_out = tuple(i for i, camera in enumerate(cameras) if camera.held_out)
        self._cache_bytes = cache_bytes
        self._cache: dict[tuple[int, int, int], Photo] = {}

    def __len__(self) -> int:
        return len(self.cameras)

    def at(self, index: int, size: float = 1.0) -> tuple[Camera, Photo]:
        """Photo ``index`` and its camera at ``size`` times the training size.

        Raises:
            InputInvalid: The photo is missing, broken, or not of its camera's size.
        """
        full = self.cameras[index]
        camera = _reduced(full, max(size, _SMALLEST_SIDE / max(full.width, full.height)))
        key = (index, camera.width, camera.height)
        photo = self._cache.get(key)
        if photo is None:
            if camera.width == full.width:
                photo = self._decode(index)
            else:
                photo = _resized(self.at(index)[1], camera, Image.Resampling.BOX)
            self._remember(key, photo)
        return camera, photo

    def _decode(self, index: int) -> Photo:
        original = self._originals[index]
        path = self._folder / original.name
        if not path.is_file():
            raise InputInvalid(
                f"photo {original.name} of the COLMAP model is not among the undistorted images"
            )
        try:
            with Image.open(path) as image:
                if image.size != (original.width, original.height):
                    raise InputInvalid(
                        f"photo {original.name} is {image.width} x {image.height} pixels, but its camera "
                        f"{original.width} x {original.height}; run sfm again"
                    )
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, Image.DecompressionBombError) as error:
            raise InputInvalid(f"photo {original.name} can not be decoded: {error}") from error
        return _resized(pixels, self.cameras[index], Image.Resampling.LANCZOS)

    def _remember(self, key: tuple[int, int, int], photo: Photo) -> None:
        """Keeps a photo if it fits, giving up smaller levels: the schedule never goes back to them."""
        used = sum(other.nbytes for other in self._cache.values())
        if used + photo.nbytes > self._cache_bytes:
            _, width, height = key
            self._cache = {k: p for k, p in self._cache.items() if k[1] * k[2] >= width * height}
            used = sum(other.nbytes for other in self._cache.values())
        if used + photo.nbytes <= self._cache_bytes:
            self._cache[key] = photo


def split_held_out(cameras: Sequence[Camera], every: int) -> tuple[Camera, ...]:
    """Marks every ``every``-th camera (index 0, every, 2 * every, ...) as held out.

    The order is the caller's, by convention that of the names. With fewer than ``every`` photos that is still
    one. With fewer than four, or ``every`` 0, it is none: so few photos can not spare one.
    """
    spare = every > 0 and len(cameras) >= 4
    return tuple(replace(camera, held_out=spare and i % every == 0) for i, camera in enumerate(cameras))


def _reduced(camera: Camera, factor: float) -> Camera:
    if factor >= 1:
        return camera
    return camera.resized(max(1, round(camera.width * factor)), max(1, round(camera.height * factor)))


def _resized(pixels: Photo, camera: Camera, filter_: Image.Resampling) -> Photo:
    size = (camera.width, camera.height)
    if (pixels.shape[1], pixels.shape[0]) == size:
        return np.ascontiguousarray(pixels)
    return np.asarray(Image.fromarray(pixels).resize(size, filter_))
