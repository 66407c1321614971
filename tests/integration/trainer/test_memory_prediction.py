"""What a run is said to need is what it needs at most."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from splatworks_common.progress import silent
from splatworks_trainer.colmap import read_model
from splatworks_trainer.config import Holdout, StrategyName
from splatworks_trainer.memory import predicted_bytes
from splatworks_trainer.train import train
from splatworks_trainer.views import CACHE_BYTES
from tests.integration.trainer.conftest import PHOTOS, SMALL, camera_around, write_capture

GROWING = replace(
    SMALL,
    max_steps=60,
    max_gaussians=150_000,
    strategy=StrategyName.MCMC,
    densify_start=0.02,
    densify_until=0.9,
    densify_rounds=50,
    prune_significance=0.0002,
    polish=0.2,
    holdout=Holdout.EVERY_N,
    evaluations=4,
)
"""Grows to its budget as fast as it can, and goes through all the parts of a run."""


def peak_of(capture: Path, output: Path) -> tuple[int, int]:
    """The most memory that a training took in this process, and how many Gaussians it grew to."""
    summary = train(capture, output, GROWING, silent, 2)
    return summary.peak_memory_bytes, summary.gaussians


def test_a_run_takes_no_more_memory_than_was_predicted(tmp_path: Path) -> None:
    cameras = [camera_around(i).resized(640, 480) for i in range(PHOTOS)]
    capture = write_capture(tmp_path / "capture", cameras)
    originals = read_model(capture / "dense/sparse").cameras

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        peak, gaussians = process.submit(peak_of, capture, tmp_path / "out").result()

    predicted = predicted_bytes(originals, GROWING.max_gaussians, GROWING.max_image_side, CACHE_BYTES, 2)
    assert gaussians > 30_000, "it did not grow enough to tell"
    assert peak <= predicted
