"""What a training step needs in memory, looked at from outside: a process of its own and what it holds."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from splatworks_rasterizer import GaussianModel, Objective, Rates
from tests.bench.training_step import synthetic_splats, upright_camera

PER_GAUSSIAN, PER_PIXEL = 1200, 40
"""Bytes."""

_STATM = Path("/proc/self/statm")


def held_bytes() -> int:
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(gaussians: int, width: int, height: int, capacity: int, *, everything: bool) -> int:
    """Bytes that a model and three steps add to a process; the model keeps what it has allocated."""
    splats, camera = synthetic_splats(gaussians), upright_camera(width, height)
    photo = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = np.ones((height, width), np.uint8) if everything else None
    exposure = np.eye(3, 4, dtype=np.float32) if everything else None
    small = GaussianModel(synthetic_splats(100), capacity=100, threads=2)
    objective, still = Objective(sh_degree=3, ssim_weight=0.2), Rates(0, 0, 0, 0, 0, 0)
    tiny = upright_camera(32, 32)
    small.step(tiny, photo[:32, :32], still, objective)  # code and threads count for neither side
    before = held_bytes()
    model = GaussianModel(splats, capacity=capacity, threads=2)
    for _ in range(3):
        model.step(camera, photo, still, objective, mask=mask, exposure=exposure)
    return held_bytes() - before


@pytest.mark.skipif(not _STATM.exists(), reason="needs Linux's /proc to see what a process holds")
@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize(
    ("gaussians", "width", "height"), [(50_000, 540, 960), (20_000, 1080, 1920), (100_000, 270, 480)]
)
def test_a_step_stays_within_its_memory(gaussians: int, width: int, height: int, everything: bool):
    """Also with a capacity that is never used."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        grown = pool.apply(growth, (gaussians, width, height, 10 * gaussians), {"everything": everything})

    assert grown <= PER_GAUSSIAN * gaussians + PER_PIXEL * width * height
    assert grown > 700 * gaussians, "parameters and moments alone are 708 bytes a Gaussian"
