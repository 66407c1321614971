"""A small capture with a known answer: coloured Gaussians on a ball, as the rasterizer draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from splatworks_common.cameras import Camera
from splatworks_common.progress import Update
from splatworks_common.splats import SH_C0, Splats
from splatworks_rasterizer import render
from splatworks_trainer.config import EngineName, Holdout, StrategyName, TrainOptions
from splatworks_trainer.train import TrainSummary, train
from tests.unit.trainer.colmap_files import CameraRow, ImageRow, PointRow, write_model, write_photo

WIDTH, HEIGHT, FOCAL = 96, 72, 90.0
PHOTOS = 16

SMALL = TrainOptions(
    dense_start=0.25,
    max_steps=500,
    max_gaussians=1000,
    resolution_schedule=((0.5, 0.0), (1.0, 0.2)),
    densify_rounds=5,
    evaluations=5,
    engine=EngineName.NATIVE,
    strategy=StrategyName.ADC,
    ssim_weight=0.2,
    holdout=Holdout.EVERY_N,
    prune_significance=0.0,
    polish=0.0,
)
"""Enough to learn the capture in a few seconds; the model written is the one that was measured."""


@dataclass(frozen=True)
class Run:
    """One finished run of ``train``."""

    output: Path
    summary: TrainSummary
    updates: list[Update]


def coloured_ball() -> tuple[Splats, np.ndarray]:
    """Five hundred flat Gaussians on a unit ball, and their colours 0..255, in stripes and spots."""
    rng = np.random.default_rng(7)
    n = 500
    means = rng.normal(size=(n, 3))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    wave = np.stack([np.sin(5 * means[:, 0]), np.sin(6 * means[:, 1] + 1), np.cos(4 * means[:, 2])], axis=1)
    colors = np.clip(128 + 90 * wave + rng.normal(0, 15, (n, 3)), 0, 255).astype(np.uint8)
    splats = Splats(
        means=means.astype(np.float32),
        log_scales=np.full((n, 3), np.log(0.07), np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        opacities=np.full(n, 4, np.float32),
        sh0=((colors / 255 - 0.5) / SH_C0).astype(np.float32),
        shN=np.zeros((n, 0, 3), np.float32),
    )
    return splats, colors


def camera_around(index: int) -> Camera:
    """A camera three units away that looks at the ball, on a walk around it."""
    turn = Rotation.from_euler("yx", [2 * np.pi * index / PHOTOS, 0.3 * np.sin(index)])
    viewmat = np.eye(4)
    viewmat[:3, :3] = turn.as_matrix()
    viewmat[2, 3] = 3.0
    return Camera(f"{index:02}.jpg", viewmat, FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def write_capture(
    folder: Path, cameras: Sequence[Camera], *, far: Sequence[tuple[float, float, float]] = ()
) -> Path:
    """sfm's output for the ball: photos, and points at a fifth of the Gaussians and at ``far``."""
    splats, colors = coloured_ball()
    lenses = {(camera.width, camera.height): camera for camera in cameras}
    ids = {size: number for number, size in enumerate(lenses, 1)}
    for camera in cameras:
        picture = np.clip(render(splats, camera, threads=2), 0, 1)
        write_photo(folder / "dense/images" / camera.name, np.rint(picture * 255).astype(np.uint8))
    points = [
        PointRow(tuple(mean), tuple(color.tolist()))
        for mean, color in list(zip(splats.means, colors, strict=True))[::5]
    ]
    write_model(
        folder / "dense/sparse",
        cameras=[
            CameraRow(ids[size], 1, *size, (lens.fx, lens.fy, lens.cx, lens.cy))
            for size, lens in lenses.items()
        ],
        images=[
            ImageRow(
                camera.name,
                tuple(Rotation.from_matrix(camera.viewmat[:3, :3]).as_quat(scalar_first=True)),
                tuple(camera.viewmat[:3, 3]),
                ids[camera.width, camera.height],
            )
            for camera in cameras
        ],
        points=[*points, *(PointRow(xyz, (200, 220, 255)) for xyz in far)],
    )
    return folder


@pytest.fixture(scope="session")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ball from all around."""
    return write_capture(tmp_path_factory.mktemp("capture"), [camera_around(i) for i in range(PHOTOS)])


@pytest.fixture(scope="session")
def trained(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that several tests look at."""
    output = tmp_path_factory.mktemp("gaussian")
    updates: list[Update] = []
    summary = train(capture, output, SMALL, updates.append, 2)
    return Run(output, summary, updates)
