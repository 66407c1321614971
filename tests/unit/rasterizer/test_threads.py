"""The same bits for any number of threads; nearly the same numbers for any instruction set."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest

from splatworks_rasterizer import GaussianModel, Objective, Rates, native, ssim
from tests.unit.rasterizer.native_views import differentiate
from tests.unit.rasterizer.scenes import BACKGROUND, random_photo, random_splats, turned_camera

RATES = Rates(means=1e-3, log_scales=5e-3, quats=1e-3, opacities=5e-2, sh0=2.5e-3, shN=1e-4)


def train(threads: int) -> tuple[np.ndarray, ...]:
    camera = turned_camera(163, 121)
    photo = random_photo(camera)
    model = GaussianModel(random_splats(3000), capacity=3000, threads=threads)
    losses = []
    for step in range(6):
        result = model.step(camera, photo, RATES, Objective(step // 2, 0.2, BACKGROUND))
        losses += [result.loss, result.mse]
    return np.array(losses), model.render(camera), *astuple(model.splats()), *astuple(model.statistics())


def train_with_everything(threads: int) -> tuple[np.ndarray, ...]:
    camera = turned_camera(163, 121)
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 2, (121, 163), dtype=np.uint8)
    exposure = (np.eye(3, 4) + rng.normal(scale=0.1, size=(3, 4))).astype(np.float32)
    model = GaussianModel(random_splats(3000), capacity=3000, threads=threads, antialiased=True)
    objective = Objective(2, 0.2, BACKGROUND, opacity_penalty=0.01, scale_penalty=0.01)
    outcomes = []
    for step in range(4):
        result = model.step(camera, random_photo(camera), RATES, objective, mask=mask, exposure=exposure)
        assert result.exposure_gradient is not None
        outcomes += [np.array([result.loss, result.mse]), result.exposure_gradient]
        model.perturb(100.0, seed=step)
    blended = model.blended(camera, mask.astype(np.float32))
    return *outcomes, blended, *astuple(model.splats()), *astuple(model.statistics())


@pytest.mark.parametrize("threads", [2, 3, 5])
@pytest.mark.parametrize("training", [train, train_with_everything])
def test_training_gives_the_same_bits_with_more_threads(
    training: Callable[[int], tuple[np.ndarray, ...]], threads: int
):
    for alone, together in zip(training(1), training(threads), strict=True):
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
