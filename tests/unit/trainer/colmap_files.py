"""Writes small COLMAP binary models, good and bad ones, and the photos that belong to them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PINHOLE = 1


@dataclass(frozen=True)
class CameraRow:
    camera_id: int = 1
    model: int = PINHOLE
    width: int = 40
    height: int = 30
    parameters: tuple[float, ...] = (50.0, 50.0, 20.0, 15.0)


@dataclass(frozen=True)
class ImageRow:
    name: str
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    camera_id: int = 1
    points2d: int = 2


@dataclass(frozen=True)
class PointRow:
    xyz: tuple[float, float, float] = (0.0, 0.0, 2.0)
    rgb: tuple[int, int, int] = (10, 20, 30)
    track: tuple[int, ...] = (1, 1)
    """Ids of the images it is seen in: an image has the id of its place, from 1."""


def cameras_bin(rows: Sequence[CameraRow]) -> bytes:
    records = [
        struct.pack("<iiQQ", row.camera_id, row.model, row.width, row.height)
        + struct.pack(f"<{len(row.parameters)}d", *row.parameters)
        for row in rows
    ]
    return struct.pack("<Q", len(rows)) + b"".join(records)


def images_bin(rows: Sequence[ImageRow]) -> bytes:
    records = [
        struct.pack("<i4d3di", i, *row.quat, *row.translation, row.camera_id)
        + row.name.encode()
        + b"\0"
        + struct.pack("<Q", row.points2d)
        + struct.pack("<ddq", 1.0, 2.0, -1) * row.points2d
        for i, row in enumerate(rows, 1)
    ]
    return struct.pack("<Q", len(rows)) + b"".join(records)


def points_bin(rows: Sequence[PointRow]) -> bytes:
    records = [
        struct.pack("<Q3d3BdQ", i, *row.xyz, *row.rgb, 0.5, len(row.track))
        + b"".join(struct.pack("<ii", image, 0) for image in row.track)
        for i, row in enumerate(rows, 1)
    ]
    return struct.pack("<Q", len(rows)) + b"".join(records)


def write_model(
    folder: Path,
    *,
    cameras: Sequence[CameraRow] = (CameraRow(),),
    images: Sequence[ImageRow] = (ImageRow("a.jpg"),),
    points: Sequence[PointRow] = (PointRow(),),
) -> Path:
    """Writes the three files of a model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.bin").write_bytes(cameras_bin(cameras))
    (folder / "images.bin").write_bytes(images_bin(images))
    (folder / "points3D.bin").write_bytes(points_bin(points))
    return folder


def write_photo(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Writes a photo without loss whatever its name says; readers go by content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="png")
