"""What the trainer and the compressor leave behind, as far as publishing reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import Camera, preview_name, write_cameras
from splatworks_common.ply import write_ply
from splatworks_common.splats import SH_C0, Splats

RENDER_COLOUR = (90, 120, 150)


def camera_at(
    name: str,
    position: Sequence[float],
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    size: tuple[int, int] = (320, 240),
    focal: float = 300.0,
    centre: tuple[float, float] | None = None,
) -> Camera:
    """A camera that looks along +z, turned by angles in degrees: yaw to the right, pitch downwards."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    viewmat = np.eye(4)
    viewmat[:3, :3] = tilt @ nod @ turn
    viewmat[:3, 3] = -viewmat[:3, :3] @ np.asarray(position, np.float64)
    width, height = size
    cx, cy = centre or (width / 2, height / 2)
    return Camera(name, viewmat, focal, focal, cx, cy, width, height)


def splats_at(
    means: NDArray[np.float64], colours: NDArray[np.float64] | None = None, radius: float = 0.05
) -> Splats:
    """Round, opaque Gaussians; ``colours`` is ``[N, 3]`` in 0..1."""
    count = len(means)
    shades = np.full((count, 3), 0.5) if colours is None else colours
    return Splats(
        means=means.astype(np.float32),
        log_scales=np.full((count, 3), np.log(radius), np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        opacities=np.full(count, 8.0, np.float32),
        sh0=((shades - 0.5) / SH_C0).astype(np.float32),
        shN=np.zeros((count, 0, 3), np.float32),
    )


def write_training(
    folder: Path, cameras: Sequence[Camera], splats: Splats, *, psnr: float | None = 31.25
) -> None:
    """Writes ``model.ply``, ``cameras.json``, ``metrics.json`` and a preview strip for every camera."""
    (folder / "renders").mkdir(parents=True)
    write_ply(folder / "model.ply", splats)
    write_cameras(folder / "cameras.json", cameras)
    (folder / "metrics.json").write_text(json.dumps({"psnr": psnr, "steps": 100}))
    for camera in cameras:
        strip = np.zeros((camera.height, 3 * camera.width, 3), np.uint8)
        strip[:, camera.width : 2 * camera.width] = RENDER_COLOUR
        Image.fromarray(strip).save(folder / "renders" / preview_name(camera.name))


def write_compressed(folder: Path, *, count: int = 5, content: bytes = b"a scene") -> None:
    """Writes ``scene.sog`` (of any content) and ``meta.json``."""
    folder.mkdir(parents=True)
    (folder / "scene.sog").write_bytes(content)
    (folder / "meta.json").write_text(json.dumps({"version": 2, "count": count}))
