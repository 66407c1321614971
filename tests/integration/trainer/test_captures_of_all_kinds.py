"""What people bring: very few photos and very many, of several cameras, and scenes without an end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from splatworks_common.cameras import Camera
from splatworks_common.ply import read_ply
from splatworks_common.progress import silent
from splatworks_trainer import scene
from splatworks_trainer.config import Holdout, StrategyName
from splatworks_trainer.train import train
from tests.integration.trainer.conftest import PHOTOS, SMALL, camera_around, write_capture


def around(count: int) -> list[Camera]:
    """The first cameras of the walk around the ball."""
    return [camera_around(i) for i in range(count)]


@pytest.mark.parametrize("photos", [1, 3])
def test_the_fewest_photos_make_a_model_of_what_they_show(tmp_path: Path, photos: int) -> None:
    capture = write_capture(tmp_path / "capture", around(photos))
    options = replace(SMALL, max_steps=200, holdout=Holdout.AUTO)

    summary = train(capture, tmp_path / "out", options, silent, 2)

    assert summary.psnr is None
    assert summary.gaussians > 50
    assert np.isfinite(read_ply(tmp_path / "out/model.ply").means).all()


def test_photos_of_several_sizes_and_cameras_train_together(tmp_path: Path) -> None:
    sizes = ((96, 72), (72, 96), (128, 96))
    cameras = [camera.resized(*sizes[i % 3]) for i, camera in enumerate(around(PHOTOS))]
    capture = write_capture(tmp_path / "capture", cameras)

    summary = train(capture, tmp_path / "out", SMALL, silent, 2)

    assert summary.psnr is not None
    assert summary.psnr > 25


def test_hundreds_of_photos_do_not_need_to_lie_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = write_capture(
        tmp_path / "capture",
        [replace(camera_around(i % PHOTOS), name=f"{i:03}.jpg") for i in range(300)],
    )
    monkeypatch.setattr(scene, "photo_cache_bytes", lambda available: 20 * 96 * 72 * 3)

    summary = train(capture, tmp_path / "out", replace(SMALL, max_steps=350), silent, 2)

    assert summary.psnr is not None
    assert summary.psnr > 20


@pytest.mark.parametrize("strategy", [StrategyName.ADC, StrategyName.MCMC])
def test_far_points_neither_explode_nor_hide_the_scene(tmp_path: Path, strategy: StrategyName) -> None:
    rng = np.random.default_rng(3)
    directions = rng.normal(size=(60, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    distances = 10.0 ** rng.uniform(1, 4, (60, 1))
    far = [(float(x), float(y), float(z)) for x, y, z in directions * distances]
    capture = write_capture(tmp_path / "capture", around(PHOTOS), far=far)
    options = replace(SMALL, strategy=strategy, densify_rounds=20)

    summary = train(capture, tmp_path / "out", options, silent, 2)

    splats = read_ply(tmp_path / "out/model.ply")
    distance = np.linalg.norm(splats.means, axis=1)
    assert summary.psnr is not None
    assert summary.psnr > 23
    assert (np.exp(splats.log_scales.max(axis=1)) < np.maximum(distance, 3)).all()
