"""Pinhole cameras with their poses, and the ``cameras.json`` file that carries them between stages.

Conventions, here and everywhere in Splatworks: OpenCV camera axes (x right, y down, z forward); ``viewmat``
maps world to camera; pixel centres lie at +0.5; intrinsics are in pixels of ``width`` x ``height``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from splatworks_common.reasons import InputInvalid


@dataclass(frozen=True)
class Camera:
    """One photo's camera.

    Attributes:
        name: The photo's file name inside ``dense/images``.
        viewmat: World-to-camera transform, ``[4, 4]`` float64, last row 0 0 0 1.
        fx, fy, cx, cy: Intrinsics in pixels.
        width, height: Image size in pixels.
        held_out: True where the photo was kept away from training to measure quality.
    """

    name: str
    viewmat: NDArray[np.float64]
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    held_out: bool = False

    @property
    def position(self) -> NDArray[np.float64]:
        """The camera's centre in world coordinates, ``[3]``."""
        rotation, translation = self.viewmat[:3, :3], self.viewmat[:3, 3]
        return np.asarray(-rotation.T @ translation)

    def resized(self, width: int, height: int) -> Camera:
        """The same camera for the same photo at another size."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=self.cx * sx,
            cy=self.cy * sy,
            width=width,
            height=height,
        )

    def project(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where points in world coordinates, ``[N, 3]``, lie in the picture.

        Returns:
            Pixels ``[N, 2]`` and depths along the optical axis ``[N]``. The pixels of points that do not lie
            ahead (depth not above 0) mean nothing and may not be finite.
        """
        local = np.einsum("ij,nj->ni", self.viewmat[:3, :3], points) + self.viewmat[:3, 3]
        depths = local[:, 2]
        with np.errstate(all="ignore"):
            pixels = local[:, :2] / depths[:, None] * (self.fx, self.fy) + (self.cx, self.cy)
        return pixels, depths


def preview_name(photo_name: str) -> str:
    """The file name of a photo's preview strip in the trainer's ``renders/``.

    A portable key without folders that ends in ``.jpg``, and another one for every other photo: ``.`` begins
    the hex of each byte of a character that is not a letter, digit, ``-`` or ``_``, and stands alone before
    the ending only for a photo that is no ``.jpg``.

    Example:
        >>> [preview_name(name) for name in ("IMG_0001.jpg", "day 1/a.jpg", "a.png")]
        ['IMG_0001.jpg', 'day.201.2fa.jpg', 'a.2epng..jpg']
    """
    stem = photo_name.removesuffix(".jpg")
    escaped = re.sub(r"[^A-Za-z0-9_-]", _escaped, stem)
    return f"{escaped}.jpg" if stem != photo_name else f"{escaped}..jpg"


def _escaped(character: re.Match[str]) -> str:
    return "".join(f".{byte:02x}" for byte in character[0].encode("utf-8", "surrogatepass"))


def write_cameras(path: Path, cameras: Sequence[Camera]) -> None:
    """Writes ``cameras.json``."""
    rows = [{**camera.__dict__, "viewmat": camera.viewmat.tolist()} for camera in cameras]
    path.write_text(json.dumps({"version": 1, "cameras": rows}, indent=1) + "\n")


def read_cameras(path: Path) -> list[Camera]:
    """Reads ``cameras.json``.

    Raises:
        InputInvalid: The file is not what ``write_cameras`` writes.
    """
    try:
        rows = json.loads(path.read_text())["cameras"]
        cameras = [Camera(**{**row, "viewmat": np.asarray(row["viewmat"], np.float64)}) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise InputInvalid(f"{path.name} is not a list of cameras: {error}") from error
    for camera in cameras:
        if camera.viewmat.shape != (4, 4) or not np.isfinite(camera.viewmat).all():
            raise InputInvalid(f"{path.name}: camera {camera.name} has no finite 4 x 4 viewmat")
    return cameras
