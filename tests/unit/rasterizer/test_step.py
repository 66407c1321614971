"""What a training step does to parameters and statistics."""

from __future__ import annotations

from dataclasses import astuple, replace
from types import ModuleType

import numpy as np
import pytest

from splatworks_rasterizer import GaussianModel, Objective, Rates
from tests.unit.rasterizer import reference
from tests.unit.rasterizer.native_views import native_camera, native_model
from tests.unit.rasterizer.scenes import (
    BACKGROUND,
    assert_decided,
    random_photo,
    random_splats,
    turned_camera,
)

RATES = Rates(means=1e-3, log_scales=5e-3, quats=2e-3, opacities=5e-2, sh0=2.5e-3, shN=1e-4)


def test_step_is_adam(kernels: ModuleType):
    """Five steps against Adam in float64 on the kernels' own gradients; the degree rises on the way."""
    splats = random_splats(70)
    camera = turned_camera(40, 30)
    photo = random_photo(camera)
    model, view = native_model(kernels, splats), native_camera(kernels, camera)
    rates = np.repeat(
        [RATES.means, RATES.log_scales, RATES.quats, RATES.opacities, RATES.sh0, RATES.shN],
        [3, 3, 4, 1, 3, 45],
    )[:, None]
    parameters = reference.table(splats)
    first, second = np.zeros_like(parameters), np.zeros_like(parameters)

    weights = (0.2, 0.0, 0.0)
    for step in range(1, 6):
        degree = step // 2
        gradient = np.empty((59, 70), np.float32)
        model.gradient(view, degree, BACKGROUND, photo, None, None, weights, gradient)
        model.step(view, degree, BACKGROUND, photo, None, None, weights, astuple(RATES))
        active = slice(0, 14 + 3 * ((degree + 1) ** 2 - 1))
        g = gradient[active].astype(np.float64)
        first[active] = 0.9 * first[active] + 0.1 * g
        second[active] = 0.999 * second[active] + 0.001 * g**2
        m, v = first[active] / (1 - 0.9**step), second[active] / (1 - 0.999**step)
        parameters[active] -= rates[active] * m / (np.sqrt(v) + 1e-15)

    after = splats.take(np.arange(70))
    model.read(after.means, after.log_scales, after.quats, after.opacities, after.sh0, after.shN)
    np.testing.assert_allclose(reference.table(after), parameters, rtol=1e-6, atol=1e-6)


def test_bands_above_the_degree_do_not_move():
    splats = random_splats(40)
    camera = turned_camera(30, 20)
    model = GaussianModel(splats, capacity=40, threads=1)
    model.step(camera, random_photo(camera), RATES, Objective(sh_degree=3, ssim_weight=0.2))
    before = model.splats()

    model.step(camera, random_photo(camera), RATES, Objective(sh_degree=1, ssim_weight=0.2))

    after = model.splats()
    np.testing.assert_array_equal(after.shN[:, 3:], before.shN[:, 3:])
    assert (after.shN[:, :3] != before.shN[:, :3]).any()


def test_a_rate_of_zero_leaves_a_group_alone():
    splats = random_splats(40)
    camera = turned_camera(30, 20)
    model = GaussianModel(splats, capacity=40, threads=1)

    model.step(camera, random_photo(camera), replace(RATES, quats=0), Objective(sh_degree=3, ssim_weight=0.2))

    np.testing.assert_array_equal(model.splats().quats, splats.quats)


def test_training_lowers_the_loss():
    camera = turned_camera(64, 48)
    truth = GaussianModel(random_splats(60, seed=1), capacity=60, threads=1).render(camera)
    photo = (truth.clip(0, 1) * 255).round().astype(np.uint8)
    model = GaussianModel(random_splats(200, seed=2), capacity=200, threads=2)

    losses = [
        model.step(camera, photo, RATES, Objective(sh_degree=0, ssim_weight=0.2)).loss for _ in range(100)
    ]

    assert losses[-1] < 0.3 * losses[0]


def test_statistics_match_the_reference():
    splats = random_splats(50, seed=3)
    means = splats.means.copy()
    means[7] = [40, 0, 3]
    splats = replace(splats, means=means)
    model = GaussianModel(splats, capacity=50, threads=1)
    cameras = [turned_camera(45, 35), turned_camera(24, 40)]
    still = Rates(0, 0, 0, 0, 0, 0)
    grad2d = np.zeros(50)
    for camera in cameras:
        assert_decided(splats, camera)
        p = reference.table(splats)
        result = reference.differentiate(p, camera, random_photo(camera), 3, 0.2, BACKGROUND)
        grad2d += np.hypot(result.d_mean2d[0] * camera.width / 2, result.d_mean2d[1] * camera.height / 2)

        model.step(camera, random_photo(camera), still, Objective(3, 0.2, BACKGROUND))

    statistics = model.statistics()
    seen = statistics.views > 0
    assert not seen[7]
    assert set(statistics.views) <= {0, 1, 2}
    assert np.linalg.norm(statistics.grad2d - grad2d) <= 1e-5 * np.linalg.norm(grad2d)
    assert np.count_nonzero(statistics.views == 2) > 30


def test_reset_clears_statistics():
    camera = turned_camera(30, 20)
    model = GaussianModel(random_splats(20), capacity=20, threads=1)
    model.step(camera, random_photo(camera), RATES, Objective(sh_degree=0, ssim_weight=0.2))
    assert model.statistics().views.any()

    model.reset_statistics()

    statistics = model.statistics()
    assert not statistics.grad2d.any()
    assert not statistics.views.any()


def test_photo_need_not_be_contiguous():
    camera = turned_camera(30, 20)
    photo = random_photo(camera)
    turned = np.asfortranarray(photo)
    losses = [
        GaussianModel(random_splats(20), capacity=20, threads=1)
        .step(camera, image, RATES, Objective(sh_degree=0, ssim_weight=0.2))
        .loss
        for image in (photo, turned)
    ]

    assert losses[0] == losses[1]


@pytest.mark.parametrize("field", ["means", "log_scales", "quats", "opacities", "sh0", "shN"])
def test_a_nan_in_any_parameter_makes_the_loss_nan(field: str):
    camera = turned_camera(30, 20)
    splats = random_splats(20)
    broken = getattr(splats, field).copy()
    broken[3] = np.nan
    broken[11] = np.inf
    model = GaussianModel(replace(splats, **{field: broken}), capacity=20, threads=1)

    loss = model.step(camera, random_photo(camera), RATES, Objective(sh_degree=3, ssim_weight=0.2)).loss

    assert np.isnan(loss)
