"""The same bits for any number of threads; nearly the same numbers for any instruction set."""

from __future__ import annotations

import importlib
from dataclasses import astuple

import numpy as np
import pytest

from splatworks_rasterizer import GaussianModel, Rates, native, ssim
from tests.unit.rasterizer.native_views import differentiate
from tests.unit.rasterizer.scenes import BACKGROUND, random_photo, random_splats, turned_camera

RATES = Rates(means=1e-3, log_scales=5e-3, quats=1e-3, opacities=5e-2, sh0=2.5e-3, shN=1e-4)


def train(threads: int) -> tuple[np.ndarray, ...]:
    camera = turned_camera(163, 121)
    photo = random_photo(camera)
    model = GaussianModel(random_splats(3000), capacity=3000, threads=threads)
    losses = []
    for step in range(6):
        result = model.step(camera, photo, RATES, sh_degree=step // 2, ssim_weight=0.2, background=BACKGROUND)
        losses += [result.loss, result.mse]
    return np.array(losses), model.render(camera), *astuple(model.splats()), *astuple(model.statistics())


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_training_gives_the_same_bits_with_more_threads(threads: int):
    for alone, together in zip(train(1), train(threads), strict=True):
        np.testing.assert_array_equal(alone, together)


def test_ssim_gives_the_same_bits_with_more_threads():
    a, b = np.random.default_rng(0).random((2, 60, 47, 3), np.float32)

    assert ssim(a, b, 1) == ssim(a, b, 3)


def test_instruction_sets_agree():
    camera = turned_camera(90, 70)
    photo = random_photo(camera)
    results = [
        differentiate(
            importlib.import_module(f"splatworks_rasterizer._kernels_{isa}"),
            random_splats(400),
            camera,
            photo,
        )
        for isa in native.available()
    ]

    for other in results[1:]:
        np.testing.assert_allclose(other.image, results[0].image, rtol=0, atol=2e-6)
        assert other.loss == pytest.approx(results[0].loss, rel=1e-6)
        difference = np.linalg.norm(other.gradient - results[0].gradient)
        assert difference <= 1e-5 * np.linalg.norm(results[0].gradient)
