"""Reads an undistorted COLMAP model: binary ``cameras``, ``images`` and ``points3D``, without COLMAP.

Only the two pinhole camera models are accepted, which is what undistortion writes. Every count in a file is
checked against the bytes that follow it before anything is allocated, so a broken or hostile file ends in
``InputInvalid``, never in a huge allocation. Poses stay in the model's frame; nothing here centres, scales or
turns the scene.

Format: https://colmap.github.io/format.html#binary-file-format (little-endian, no padding).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid, InputNotFound

_SIMPLE_PINHOLE, _PINHOLE = 0, 1
_PARAMETERS_BY_MODEL = {_SIMPLE_PINHOLE: 3, _PINHOLE: 4}
_CAMERA = struct.Struct("<iiQQ")  # camera id, model id, width, height; then the parameters
_IMAGE = struct.Struct("<i4d3di")  # image id, quaternion wxyz, translation, camera id; then name, 2D points
_POINT = np.dtype([("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("track", "<u8")])
_TRACK_LENGTH = struct.Struct("<43xQ")  # all of a point but its last field; then the track
_TRACK_ELEMENT = np.dtype([("image", "<i4"), ("point2d", "<i4")])
_COUNT = struct.Struct("<Q")
_POINT2D_BYTES = 24
_MAX_IMAGE_SIDE = 100_000


@dataclass(frozen=True)
class ColmapModel:
    """Registered images and the sparse points they share.

    Attributes:
        cameras: One camera per registered image, in the order of their names, at the size of the undistorted
            photo.
        points: Sparse points in world units, ``[P, 3]`` float64.
        colors: Their red, green, blue, ``[P, 3]`` uint8.
        observations: Which photo shows which point, ``[T, 2]`` int32: an index into ``points`` and one into
            ``cameras``. Ascending, each pair once.
    """

    cameras: tuple[Camera, ...]
    points: NDArray[np.float64]
    colors: NDArray[np.uint8]
    observations: NDArray[np.int32]


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
    cameras_by_id = _read_images(folder / "images.bin", intrinsics)
    image_ids = sorted(cameras_by_id, key=lambda image_id: cameras_by_id[image_id].name)
    points, colors, observations = _read_points(folder / "points3D.bin", image_ids)
    return ColmapModel(tuple(cameras_by_id[image_id] for image_id in image_ids), points, colors, observations)


class _Cursor:
    """Walks through one binary file and refuses to read beyond its end.

    Attributes:
        name: The file's name.
        offset: How many bytes have been read.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputNotFound(f"{path.name} is missing from the COLMAP model; run sfm again")
        self.name = path.name
        self.offset = 0
        self._data = path.read_bytes()

    def read(self, layout: struct.Struct) -> tuple[Any, ...]:
        self._require(layout.size)
        values = layout.unpack_from(self._data, self.offset)
        self.offset += layout.size
        return values

    def read_name(self) -> str:
        end = self._data.find(b"\0", self.offset)
        if end < 0:
            raise self._cut_short()
        raw, self.offset = self._data[self.offset : end], end + 1
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise InputInvalid(f"{self.name}: image name {raw!r} is not UTF-8") from error

    def skip(self, count: int, size: int) -> None:
        self._require(count * size)
        self.offset += count * size

    def records(self, least_bytes: int) -> Iterator[int]:
        """Reads a count, checks that so many records of ``least_bytes`` can follow, and counts them off."""
        (count,) = self.read(_COUNT)
        self._require(count * least_bytes)
        yield from range(count)
        if self.offset != len(self._data):
            extra = len(self._data) - self.offset
            raise InputInvalid(
                f"{self.name} has {extra} bytes after its {count} records; it is not a COLMAP file"
            )

    def gather(self, offsets: NDArray[np.int64], dtype: np.dtype[np.void]) -> NDArray[np.void]:
        """The records that begin at ``offsets``, which must have been read or skipped."""
        data = np.frombuffer(self._data, np.uint8)
        return sliding_window_view(data, dtype.itemsize)[offsets].view(dtype)[:, 0]

    def _require(self, size: int) -> None:
        if self.offset + size > len(self._data):
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


def _read_images(path: Path, intrinsics: dict[int, _Intrinsics]) -> dict[int, Camera]:
    """The camera of each image by the image's id."""
    cursor = _Cursor(path)
    cameras: dict[int, Camera] = {}
    names: set[str] = set()
    for _ in cursor.records(_IMAGE.size + 1 + _COUNT.size):
        image_id, qw, qx, qy, qz, tx, ty, tz, camera_id = cursor.read(_IMAGE)
        name = cursor.read_name()
        (points,) = cursor.read(_COUNT)
        cursor.skip(points, _POINT2D_BYTES)
        if camera_id not in intrinsics:
            raise InputInvalid(
                f"{path.name}: image {name} names camera {camera_id}, which cameras.bin does not have"
            )
        if name in names:
            raise InputInvalid(f"{path.name}: two images are called {name}")
        if image_id in cameras:
            raise InputInvalid(f"{path.name}: two images have the id {image_id}")
        _check_name(path, name)
        viewmat = _viewmat(path, name, (qw, qx, qy, qz), (tx, ty, tz))
        lens = intrinsics[camera_id]
        names.add(name)
        cameras[image_id] = Camera(name, viewmat, lens.fx, lens.fy, lens.cx, lens.cy, lens.width, lens.height)
    if not cameras:
        raise InputInvalid(
            f"{path.name} has no registered images; run sfm again with more overlapping photos"
        )
    return cameras


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


def _read_points(
    path: Path, image_ids: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.int32]]:
    """Positions, colours and observations; ``image_ids`` are in the order of the cameras."""
    cursor = _Cursor(path)
    starts, lengths = [], []
    # Each length tells where the next point begins, so these are walked through; the rest is cut out at once.
    for _ in cursor.records(_POINT.itemsize):
        starts.append(cursor.offset)
        (length,) = cursor.read(_TRACK_LENGTH)
        lengths.append(length)
        cursor.skip(length, _TRACK_ELEMENT.itemsize)
    if not starts:
        raise InputInvalid(
            f"{path.name} has no points: the photos share nothing to start from; run sfm again"
        )
    records = cursor.gather(np.array(starts), _POINT)
    points = np.ascontiguousarray(records["xyz"])
    bad = np.count_nonzero(~np.isfinite(points).all(axis=1))
    if bad:
        raise InputInvalid(f"{path.name}: {bad} of {len(points)} points are not finite")
    first = np.array(starts) + _POINT.itemsize
    observations = _read_tracks(cursor, first, np.array(lengths), image_ids)
    return points, np.ascontiguousarray(records["rgb"]), observations


def _read_tracks(
    cursor: _Cursor, starts: NDArray[np.int64], lengths: NDArray[np.int64], image_ids: Sequence[int]
) -> NDArray[np.int32]:
    """The observations of points whose tracks begin at ``starts`` in the file."""
    points = np.repeat(np.arange(len(starts)), lengths)
    nth = np.arange(len(points)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    seen_in = cursor.gather(starts[points] + nth * _TRACK_ELEMENT.itemsize, _TRACK_ELEMENT)["image"]
    ascending = np.argsort(image_ids)
    ids = np.array(image_ids)[ascending]
    place = np.minimum(np.searchsorted(ids, seen_in), len(ids) - 1)
    unknown = np.flatnonzero(ids[place] != seen_in)
    if len(unknown):
        raise InputInvalid(
            f"{cursor.name}: a point is seen in image {seen_in[unknown[0]]}, which images.bin does not have"
        )
    # COLMAP may list a photo twice for one point, where two of its features were matched to it. (np.unique
    # does the same in twenty times the time.)
    pairs = np.sort(points * len(ids) + ascending[place])
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    return np.stack(np.divmod(pairs, len(ids)), axis=1).astype(np.int32)
