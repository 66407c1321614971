"""Reads an undistorted COLMAP model: binary ``cameras``, ``images`` and ``points3D``, without COLMAP.

Only the two pinhole camera models are accepted, which is what undistortion writes. Every count in a file is
checked against the bytes that follow it before anything is allocated, so a broken or hostile file ends in
``InputInvalid``, never in a huge allocation. Poses stay in the model's frame; nothing here centres, scales or
turns the scene.

Format: https://colmap.github.io/format.html#binary-file-format (little-endian, no padding).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid, InputNotFound

_SIMPLE_PINHOLE, _PINHOLE = 0, 1
_PARAMETERS_BY_MODEL = {_SIMPLE_PINHOLE: 3, _PINHOLE: 4}
_CAMERA = struct.Struct("<iiQQ")  # camera id, model id, width, height; then the parameters
_IMAGE = struct.Struct("<i4d3di")  # image id, quaternion wxyz, translation, camera id; then name, 2D points
_POINT = struct.Struct("<Q3d3BdQ")  # point id, xyz, rgb, error, track length; then the track
_COUNT = struct.Struct("<Q")
_POINT2D_BYTES = 24
_TRACK_ELEMENT_BYTES = 8
_MAX_IMAGE_SIDE = 100_000


@dataclass(frozen=True)
class ColmapModel:
    """Registered images and the sparse points they share.

    Attributes:
        cameras: One camera per registered image, in the order of their names, at the size of the undistorted
            photo.
        points: Sparse points in world units, ``[P, 3]`` float64.
        colors: Their red, green, blue, ``[P, 3]`` uint8.
    """

    cameras: tuple[Camera, ...]
    points: NDArray[np.float64]
    colors: NDArray[np.uint8]


@dataclass(frozen=True)
class _Intrinsics:
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int


def read_model(folder: Path) -> ColmapModel:
    """Reads the model in ``folder``.

    Raises:
        InputNotFound: One of the three files is missing.
        InputInvalid: A file is cut short, or holds something that can not be trained on; the message says
            what.
    """
    intrinsics = _read_cameras(folder / "cameras.bin")
    cameras = _read_images(folder / "images.bin", intrinsics)
    points, colors = _read_points(folder / "points3D.bin")
    return ColmapModel(cameras, points, colors)


class _Cursor:
    """Walks through one binary file and refuses to read beyond its end."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputNotFound(f"{path.name} is missing from the COLMAP model; run sfm again")
        self.name = path.name
        self._data = path.read_bytes()
        self._offset = 0

    def read(self, layout: struct.Struct) -> tuple[Any, ...]:
        self._require(layout.size)
        values = layout.unpack_from(self._data, self._offset)
        self._offset += layout.size
        return values

    def read_name(self) -> str:
        end = self._data.find(b"\0", self._offset)
        if end < 0:
            raise self._cut_short()
        raw, self._offset = self._data[self._offset : end], end + 1
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise InputInvalid(f"{self.name}: image name {raw!r} is not UTF-8") from error

    def skip(self, count: int, size: int) -> None:
        self._require(count * size)
        self._offset += count * size

    def records(self, least_bytes: int) -> Iterator[int]:
        """Reads a count, checks that so many records of ``least_bytes`` can follow, and counts them off."""
        (count,) = self.read(_COUNT)
        self._require(count * least_bytes)
        yield from range(count)
        if self._offset != len(self._data):
            extra = len(self._data) - self._offset
            raise InputInvalid(
                f"{self.name} has {extra} bytes after its {count} records; it is not a COLMAP file"
            )

    def _require(self, size: int) -> None:
        if self._offset + size > len(self._data):
            raise self._cut_short()

    def _cut_short(self) -> InputInvalid:
        return InputInvalid(
            f"{self.name} is cut short: {len(self._data)} bytes do not hold the records it announces"
        )


def _read_cameras(path: Path) -> dict[int, _Intrinsics]:
    cursor = _Cursor(path)
    cameras = {}
    for _ in cursor.records(_CAMERA.size + 8 * min(_PARAMETERS_BY_MODEL.values())):
        camera_id, model, width, height = cursor.read(_CAMERA)
        if model not in _PARAMETERS_BY_MODEL:
            raise InputInvalid(
                f"{path.name}: camera {camera_id} has COLMAP model {model}; only undistorted PINHOLE and "
                "SIMPLE_PINHOLE cameras can be trained on"
            )
        parameters = cursor.read(struct.Struct(f"<{_PARAMETERS_BY_MODEL[model]}d"))
        fx, fy, cx, cy = parameters if model == _PINHOLE else (parameters[0], *parameters)
        if not (np.isfinite(parameters).all() and fx > 0 and fy > 0):
            raise InputInvalid(
                f"{path.name}: camera {camera_id} has no finite positive focal length: {parameters}"
            )
        if not (0 < width <= _MAX_IMAGE_SIDE and 0 < height <= _MAX_IMAGE_SIDE):
            raise InputInvalid(f"{path.name}: camera {camera_id} has the impossible size {width} x {height}")
        cameras[camera_id] = _Intrinsics(fx, fy, cx, cy, width, height)
    return cameras


def _read_images(path: Path, intrinsics: dict[int, _Intrinsics]) -> tuple[Camera, ...]:
    cursor = _Cursor(path)
    cameras: dict[str, Camera] = {}
    for _ in cursor.records(_IMAGE.size + 1 + _COUNT.size):
        _, qw, qx, qy, qz, tx, ty, tz, camera_id = cursor.read(_IMAGE)
        name = cursor.read_name()
        (points,) = cursor.read(_COUNT)
        cursor.skip(points, _POINT2D_BYTES)
        if camera_id not in intrinsics:
            raise InputInvalid(
                f"{path.name}: image {name} names camera {camera_id}, which cameras.bin does not have"
            )
        if name in cameras:
            raise InputInvalid(f"{path.name}: two images are called {name}")
        _check_name(path, name)
        viewmat = _viewmat(path, name, (qw, qx, qy, qz), (tx, ty, tz))
        lens = intrinsics[camera_id]
        cameras[name] = Camera(name, viewmat, lens.fx, lens.fy, lens.cx, lens.cy, lens.width, lens.height)
    if not cameras:
        raise InputInvalid(
            f"{path.name} has no registered images; run sfm again with more overlapping photos"
        )
    return tuple(cameras[name] for name in sorted(cameras))


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name)
    if not name or parts.is_absolute() or ".." in parts.parts:
        raise InputInvalid(f"{path.name}: image name {name!r} does not stay inside the images folder")


def _viewmat(
    path: Path, name: str, quat: tuple[float, ...], translation: tuple[float, ...]
) -> NDArray[np.float64]:
    if not (np.isfinite(quat).all() and np.isfinite(translation).all() and np.linalg.norm(quat) > 0.5):
        raise InputInvalid(
            f"{path.name}: image {name} has no finite pose: quaternion {quat}, translation {translation}"
        )
    viewmat = np.eye(4)
    viewmat[:3, :3] = Rotation.from_quat(quat, scalar_first=True).as_matrix()
    viewmat[:3, 3] = translation
    return viewmat


def _read_points(path: Path) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    cursor = _Cursor(path)
    positions, colors = [], []
    for _ in cursor.records(_POINT.size):
        _, x, y, z, red, green, blue, _, track = cursor.read(_POINT)
        cursor.skip(track, _TRACK_ELEMENT_BYTES)
        positions.append((x, y, z))
        colors.append((red, green, blue))
    if not positions:
        raise InputInvalid(
            f"{path.name} has no points: the photos share nothing to start from; run sfm again"
        )
    points = np.array(positions, np.float64)
    bad = np.count_nonzero(~np.isfinite(points).all(axis=1))
    if bad:
        raise InputInvalid(f"{path.name}: {bad} of {len(points)} points are not finite")
    return points, np.array(colors, np.uint8)
