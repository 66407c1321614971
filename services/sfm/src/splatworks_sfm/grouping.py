"""Sorts photos into groups that were taken with the same camera at the same setting.

Photos of a group share one set of intrinsics. Without that each photo would get its own (most phones' apps
strip EXIF), which doubles the pose error and the time; with only one for all, photos of another size would be
lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from splatworks_sfm.ingest import Photo


@dataclass(frozen=True)
class CameraGroup:
    """Photos with the same intrinsics.

    Attributes:
        width, height: Their size in pixels.
        make, model: Their camera, "" where unknown.
        focal_pixels: A first guess of the focal length from EXIF, None where EXIF has none.
        photos: The names of the ingested files, in order.
    """

    width: int
    height: int
    make: str
    model: str
    focal_pixels: float | None
    photos: list[str]


def group_by_camera(photos: Sequence[Photo]) -> list[CameraGroup]:
    """Groups by size, make, model and focal length, in order of first appearance."""
    members: dict[tuple[object, ...], list[Photo]] = {}
    for photo in photos:
        exif = photo.exif
        key = (photo.width, photo.height, exif.make, exif.model, exif.focal_mm, exif.focal_35mm)
        members.setdefault(key, []).append(photo)
    return [_group(group) for group in members.values()]


def _group(photos: list[Photo]) -> CameraGroup:
    first = photos[0]
    ratios = [photo.exif.focal_over_diagonal for photo in photos]
    known = [ratio for ratio in ratios if ratio is not None]
    return CameraGroup(
        width=first.width,
        height=first.height,
        make=first.exif.make,
        model=first.exif.model,
        focal_pixels=median(known) * math.hypot(first.width, first.height) if known else None,
        photos=[photo.name for photo in photos],
    )
