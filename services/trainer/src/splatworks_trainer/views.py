"""The photos, their masks and cameras at every size of the resolution pyramid.

A photo is decoded to the training size, kept as uint8, and smaller levels are averaged from that. Cameras
follow exactly: pixel centres lie at +0.5, so the principal point scales with the image, and width and height
scale by what they really became after rounding. What was decoded is kept under a memory limit; beyond it
photos are decoded again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid
from splatworks_trainer.masks import UNDECODABLE, Mask, read_mask, reduced_mask

Photo = NDArray[np.uint8]
"""One photo, ``[H, W, 3]`` red, green, blue."""

CACHE_BYTES = 1 << 30
"""How much memory decoded photos may use, unless the caller says otherwise."""

_SMALLEST_SIDE = 32
"""A level's longest side is never less: SSIM's window is 11 pixels, and below that there is nothing to
learn."""

_NEAR = 0.01

_ENOUGH = 2
"""A JPEG is decoded at no less than so many times the size wanted: at once or less its own way of reducing
would show (35 to 49 dB to the photo decoded whole, instead of 53)."""


@dataclass(frozen=True)
class View:
    """A photo at one size, and what took it.

    Attributes:
        camera: The camera at this size.
        photo: The photo, ``[H, W, 3]``.
        mask: The pixels of it that count, ``[H, W]``; none where all do.
    """

    camera: Camera
    photo: Photo
    mask: Mask | None

    @property
    def nbytes(self) -> int:
        """Memory its arrays take."""
        return self.photo.nbytes + (0 if self.mask is None else self.mask.nbytes)


class Photos:
    """Photos with their masks and cameras, by index, at any level of the pyramid.

    Args:
        folder: Where the undistorted photos lie.
        cameras: Their cameras at the size of the files.
        max_side: Longest side of the training size in pixels; photos are never enlarged.
        masks: Where their masks lie, if any have one.
        cache_bytes: How much memory decoded photos and masks may use.

    Attributes:
        cameras: The cameras at the training size, in the same order.
        training: Indices of the photos to train on.
        held_out: Indices of the photos kept away from training.
        cached_bytes: How much memory decoded photos and masks use now.
    """

    def __init__(
        self,
        folder: Path,
        cameras: Sequence[Camera],
        *,
        max_side: int,
        masks: Path | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._folder = folder
        self._masks = masks
        self._originals = tuple(cameras)
        self.cameras = tuple(
            _reduced(camera, max_side / max(camera.width, camera.height)) for camera in cameras
        )
        self.training = tuple(i for i, camera in enumerate(cameras) if not camera.held_out)
        self.held_out = tuple(i for i, camera in enumerate(cameras) if camera.held_out)
        self.cached_bytes = 0
        self._cache_bytes = cache_bytes
        self._cache: defaultdict[float, dict[int, View]] = defaultdict(dict)  # by size, then by index

    def __len__(self) -> int:
        return len(self.cameras)

    def load(self, threads: int) -> Iterator[int]:
        """Decodes every photo once, on so many threads, and counts them off; keeps those there is room for.

        Raises:
            InputInvalid: As ``at``.
        """
        with ThreadPoolExecutor(threads) as pool:
            for index, view in enumerate(pool.map(self._decode, range(len(self)))):
                self._keep(index, 1.0, view)
                yield index + 1

    def at(self, index: int, size: float = 1.0) -> View:
        """Photo ``index`` at ``size`` times the training size.

        Raises:
            InputInvalid: The photo is missing, broken, or not of its camera's size; or its mask is broken,
                not of that size, or leaves nothing of the photo.
        """
        view = self._cache[size].get(index)
        if view is None:
            view = self._full(index) if size == 1 else _level(self._full(index), size)
            self._make_room(view.nbytes, size)
            self._keep(index, size, view)
        return view

    def _full(self, index: int) -> View:
        """The photo at the training size, kept only if there is room."""
        view = self._cache[1.0].get(index)
        if view is None:
            view = self._decode(index)
            self._keep(index, 1.0, view)
        return view

    def _decode(self, index: int) -> View:
        original, camera = self._originals[index], self.cameras[index]
        path = self._folder / original.name
        if not path.is_file():
            raise InputInvalid(
                f"photo {original.name} of the COLMAP model is not among the undistorted images"
            )
        try:
            with Image.open(path) as image:
                if image.size != _size(original):
                    raise InputInvalid(
                        f"photo {original.name} is {image.width} x {image.height} pixels, but its camera "
                        f"{original.width} x {original.height}; run sfm again"
                    )
                photo = _decoded(image, camera)
        except UNDECODABLE as error:
            raise InputInvalid(f"photo {original.name} can not be decoded: {error}") from error
        mask = read_mask(self._masks, original) if self._masks else None
        return View(camera, photo, _resized_mask(mask, camera))

    def _keep(self, index: int, size: float, view: View) -> None:
        views = self._cache[size]
        if index not in views and self.cached_bytes + view.nbytes <= self._cache_bytes:
            views[index] = view
            self.cached_bytes += view.nbytes

    def _make_room(self, wanted: int, size: float) -> None:
        """Gives up views of other sizes than the one in use, smaller ones first: training is done with those.

        Views of the same size stay: photos come in rounds, so any other one would be wanted as soon.
        """
        for other in sorted(self._cache):
            views = self._cache[other]
            while other != size and views and self.cached_bytes + wanted > self._cache_bytes:
                self.cached_bytes -= views.pop(next(iter(views))).nbytes


def in_picture(
    points: NDArray[np.float64], camera: Camera
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Pixels ``[V, 2]`` and depths ``[V]`` of the points ahead of a camera and in its picture.

    Args:
        points: ``[N, 3]``, world units.
        camera: The camera.

    Returns:
        Both, and which points those are, ``[V]``.
    """
    pixels, depths = camera.project(points)
    inside = (pixels >= 0) & (pixels < (camera.width, camera.height))
    seen = np.flatnonzero((depths > _NEAR) & inside.all(axis=1))
    return pixels[seen], depths[seen], seen


def unprojected(
    pixels: NDArray[np.float64], depths: NDArray[np.float64], camera: Camera
) -> NDArray[np.float64]:
    """World positions ``[V, 3]`` of pixel positions ``[V, 2]`` at the given depths ``[V]``."""
    plane = (pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    local = np.concatenate([plane, np.ones((len(plane), 1))], axis=1) * depths[:, None]
    return np.asarray(np.einsum("ji,nj->ni", camera.viewmat[:3, :3], local - camera.viewmat[:3, 3]))


def _decoded(image: Image.Image, camera: Camera) -> Photo:
    """The pixels of a photo that is open, at its camera's size.

    A JPEG of four times that size or more is decoded at a half, a quarter or an eighth of its own. At 27
    megapixels that takes a third to a quarter of the time, and changes colours by half a level.
    """
    drafted = image.draft(None, (_ENOUGH * camera.width, _ENOUGH * camera.height))
    pixels = image.convert("RGB")
    if pixels.size != _size(camera):
        # The part of the reduced picture that the photo covers: its last pixels may reach beyond the photo.
        pixels = pixels.resize(_size(camera), Image.Resampling.LANCZOS, box=drafted and drafted[1])
    return np.asarray(pixels)


def _level(full: View, size: float) -> View:
    camera = _reduced(full.camera, max(size, _SMALLEST_SIDE / max(_size(full.camera))))
    photo = Image.fromarray(full.photo).resize(_size(camera), Image.Resampling.BOX)
    return View(camera, np.asarray(photo), _resized_mask(full.mask, camera))


def _reduced(camera: Camera, factor: float) -> Camera:
    if factor >= 1:
        return camera
    return camera.resized(max(1, round(camera.width * factor)), max(1, round(camera.height * factor)))


def _size(camera: Camera) -> tuple[int, int]:
    return camera.width, camera.height


def _resized_mask(mask: Mask | None, camera: Camera) -> Mask | None:
    return None if mask is None else reduced_mask(mask, camera.width, camera.height)
