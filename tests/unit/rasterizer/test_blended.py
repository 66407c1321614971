"""What each Gaussian adds to an image, against the float64 reference."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from splatworks_rasterizer import GaussianModel
from tests.unit.rasterizer import reference
from tests.unit.rasterizer.native_views import native_camera, native_model
from tests.unit.rasterizer.scenes import assert_decided, random_splats, turned_camera


@pytest.mark.parametrize("size", [(50, 37), (16, 16), (33, 1), (1, 1)])
def test_blended_is_the_weighted_sum_of_the_values(kernels: ModuleType, size: tuple[int, int]):
    camera = turned_camera(*size)
    splats = random_splats(90, seed=8)
    assert_decided(splats, camera)
    values = np.random.default_rng(0).normal(size=(camera.height, camera.width)).astype(np.float32)
    sums = np.empty(90, np.float32)

    native_model(kernels, splats).blended(native_camera(kernels, camera), values, sums)

    expected = reference.blended(reference.table(splats), camera, values.astype(np.float64))
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-6 * abs(expected).max())


def test_ones_add_up_to_what_the_gaussians_cover():
    camera = turned_camera(50, 37)
    model = GaussianModel(random_splats(90), capacity=90, threads=2)

    significance = model.blended(camera, np.ones((37, 50), np.float32))

    background = model.render(camera, background=(1, 1, 1)) - model.render(camera)
    assert significance.sum() == pytest.approx((1 - background[:, :, 0]).sum(), rel=1e-5)


def test_gaussians_off_the_image_add_nothing_and_nothing_is_changed():
    splats = random_splats(40)
    splats = replace(splats, means=splats.means * np.array([1, 1, -1], np.float32))
    camera = turned_camera(50, 37)
    model = GaussianModel(splats, capacity=40, threads=1)

    assert not model.blended(camera, np.ones((37, 50), np.float32)).any()

    assert not model.statistics().views.any()
    np.testing.assert_array_equal(model.splats().means, splats.means)
