"""Loss and gradient of the kernels against the float64 reference, for every parameter group."""

from __future__ import annotations

from dataclasses import fields, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats
from tests.unit.rasterizer import reference
from tests.unit.rasterizer.native_views import NativeResult, differentiate, native_camera, native_model
from tests.unit.rasterizer.scenes import (
    BACKGROUND,
    assert_decided,
    random_photo,
    random_splats,
    turned_camera,
)

TOLERANCE = 1e-5


def assert_same_gradient(
    kernels: ModuleType,
    splats: Splats,
    camera: Camera,
    *,
    degree: int = 3,
    ssim_weight: float = 0.2,
    **conditions: Any,
) -> NativeResult:
    """Compares everything, and returns what the kernels gave."""
    assert_decided(splats, camera, antialiased=conditions.get("antialiased", False))
    photo = random_photo(camera)
    expected = reference.differentiate(
        reference.table(splats), camera, photo, degree, ssim_weight, BACKGROUND, **conditions
    )
    actual = differentiate(
        kernels,
        splats,
        camera,
        photo,
        degree=degree,
        ssim_weight=ssim_weight,
        background=BACKGROUND,
        threads=2,
        **conditions,
    )
    np.testing.assert_allclose(actual.image, expected.image, rtol=0, atol=2e-6)
    assert actual.loss == pytest.approx(expected.loss, rel=1e-6, abs=1e-9)
    assert actual.mse == pytest.approx(expected.mse, rel=1e-5)
    for group, rows in reference.GROUPS.items():
        error = np.linalg.norm(actual.gradient[rows] - expected.gradient[rows])
        norm = np.linalg.norm(expected.gradient[rows])
        assert error <= TOLERANCE * norm, f"{group}: error {error:.3g} of {norm:.3g}"
    if "exposure" in conditions:
        np.testing.assert_allclose(
            actual.exposure_gradient,
            expected.d_exposure,
            rtol=1e-5,
            atol=1e-6 * abs(expected.d_exposure).max(),
        )
    return actual


def random_mask(camera: Camera, seed: int = 2) -> NDArray[np.uint8]:
    """Half of the pixels, in no order: windows of SSIM hold both kinds."""
    return np.random.default_rng(seed).choice(
        np.array([0, 1, 255], np.uint8), (camera.height, camera.width), p=[0.5, 0.25, 0.25]
    )


EXPOSURE = np.array([[1.2, -0.1, 0.05, 0.04], [0.1, 0.8, 0.02, -0.03], [-0.05, 0.15, 1.1, 0.02]], np.float32)


@pytest.mark.parametrize("size", [(50, 37), (16, 16), (17, 15), (15, 17), (33, 1), (1, 33), (1, 1), (64, 48)])
def test_gradient_at_any_image_size(kernels: ModuleType, size: tuple[int, int]):
    assert_same_gradient(kernels, random_splats(60), turned_camera(*size))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_gradient_at_every_degree_leaves_higher_bands_at_zero(kernels: ModuleType, degree: int):
    result = assert_same_gradient(kernels, random_splats(40), turned_camera(31, 22), degree=degree)

    assert not result.gradient[14 + 3 * ((degree + 1) ** 2 - 1) :].any()


@pytest.mark.parametrize("ssim_weight", [0.0, 0.5, 1.0])
def test_gradient_for_any_share_of_ssim(kernels: ModuleType, ssim_weight: float):
    assert_same_gradient(kernels, random_splats(40), turned_camera(31, 22), ssim_weight=ssim_weight)


def test_gradient_of_one_gaussian(kernels: ModuleType):
    assert_same_gradient(kernels, random_splats(1), turned_camera(40, 30))


def test_no_gaussians_is_a_plain_background(kernels: ModuleType):
    camera = turned_camera(20, 10)

    result = differentiate(kernels, random_splats(0), camera, random_photo(camera), background=BACKGROUND)

    assert result.gradient.shape == (59, 0)
    np.testing.assert_array_equal(
        result.image, np.broadcast_to(np.array(BACKGROUND, np.float32), (10, 20, 3))
    )


def test_gradient_where_opaque_gaussians_hide_others(kernels: ModuleType):
    """Alpha is cut at 0.99 and pixels end before the last Gaussian."""
    splats = random_splats(150, seed=5)
    splats = replace(splats, opacities=splats.opacities + 6)
    camera = turned_camera(40, 30)
    flat = reference.project(reference.table(splats), camera, 3)
    layers = reference.blend(flat, camera, BACKGROUND)[1]
    assert any((layer.transmittance < reference.TRANSMITTANCE_STOP).any() for layer in layers)

    assert_same_gradient(kernels, splats, camera)


def test_gradient_of_gaussians_that_cover_everything(kernels: ModuleType):
    splats = random_splats(10, seed=3)
    splats = replace(splats, log_scales=splats.log_scales + np.float32(3))

    assert_same_gradient(kernels, splats, turned_camera(45, 35))


@pytest.mark.parametrize("count", [15, 16, 17, 32, 33])
def test_gradient_of_lists_around_whole_batches(kernels: ModuleType, count: int):
    splats = random_splats(count, seed=count)
    splats = replace(splats, log_scales=splats.log_scales + np.float32(3))

    assert_same_gradient(kernels, splats, turned_camera(16, 13))


def test_what_is_hidden_everywhere_has_no_gradient_whatever_was_computed_before(kernels: ModuleType):
    splats = random_splats(64, spread=0.1)
    splats = replace(splats, log_scales=splats.log_scales + np.float32(3))
    splats.means[:, 2] = np.linspace(2, 5, 64)
    camera = turned_camera(16, 16)
    faint, opaque = (replace(splats, opacities=np.full(64, opacity, np.float32)) for opacity in (-4, 6))
    model = native_model(kernels, faint)
    gradients = [np.empty((59, 64), np.float32) for _ in range(2)]
    arguments = (native_camera(kernels, camera), 3, BACKGROUND, random_photo(camera), None, None, (0.2, 0, 0))

    model.gradient(*arguments, gradients[0])
    model.keep(np.zeros(64, np.uint8))
    model.append(*(getattr(opaque, column.name) for column in fields(opaque)))
    model.gradient(*arguments, gradients[1])

    assert gradients[0][:, 16:].any(axis=0).all()
    assert not gradients[1][:, 16:].any()


def test_gradient_of_gaussians_far_smaller_than_a_pixel(kernels: ModuleType):
    splats = random_splats(80, seed=2)
    splats = replace(splats, log_scales=splats.log_scales - np.float32(9))

    assert_same_gradient(kernels, splats, turned_camera(45, 35))


def test_gradient_of_long_needles(kernels: ModuleType):
    splats = random_splats(20, seed=4)
    scales = np.tile(np.log(np.array([1.5, 0.004, 0.004], np.float32)), (20, 1))
    splats = replace(splats, log_scales=scales)

    assert_same_gradient(kernels, splats, turned_camera(45, 35))


def test_gradient_beyond_the_frustum_where_the_jacobian_is_clamped(kernels: ModuleType):
    splats = random_splats(30, seed=6, spread=4.0)
    splats = replace(splats, log_scales=splats.log_scales + np.float32(1.5))
    camera = turned_camera(45, 35)
    flat = reference.project(reference.table(splats), camera, 3)
    assert (flat.mean[0] > 1.2 * camera.width).any()
    assert (flat.mean[1] < -0.2 * camera.height).any()

    assert_same_gradient(kernels, splats, camera)


def test_gaussians_off_the_image_or_behind_the_camera_have_no_gradient(kernels: ModuleType):
    splats = random_splats(8, seed=1)
    means = splats.means.copy()
    means[0] = [50, 0, 3]
    means[1] = [0, -80, 4]
    means[2] = [0, 0, -3]
    means[3] = [0.1, 0.1, -0.3]  # in the plane of the camera
    splats = replace(splats, means=means)

    result = assert_same_gradient(kernels, splats, turned_camera(45, 35))

    assert not result.gradient[:, :4].any()


@pytest.mark.parametrize("size", [(50, 37), (17, 15), (64, 48)])
@pytest.mark.parametrize("spread", [0.0, -2.5])
def test_antialiased_gradient(kernels: ModuleType, size: tuple[int, int], spread: float):
    """Also of Gaussians near the size of a pixel, where the low pass is most of what is seen."""
    splats = random_splats(80, seed=2)
    splats = replace(splats, log_scales=splats.log_scales + np.float32(spread))

    assert_same_gradient(kernels, splats, turned_camera(*size), antialiased=True)


def test_antialiased_gradient_of_long_needles(kernels: ModuleType):
    splats = random_splats(20, seed=4)
    scales = np.tile(np.log(np.array([1.5, 0.004, 0.004], np.float32)), (20, 1))
    splats = replace(splats, log_scales=scales, opacities=splats.opacities + 3)

    assert_same_gradient(kernels, splats, turned_camera(45, 35), antialiased=True)


@pytest.mark.parametrize("ssim_weight", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("size", [(50, 37), (17, 15), (1, 7), (33, 140)])
def test_gradient_under_a_mask(kernels: ModuleType, size: tuple[int, int], ssim_weight: float):
    camera = turned_camera(*size)

    assert_same_gradient(
        kernels, random_splats(60), camera, ssim_weight=ssim_weight, mask=random_mask(camera)
    )


def test_nothing_counts_under_an_empty_mask(kernels: ModuleType):
    camera = turned_camera(31, 22)
    mask = np.zeros((22, 31), np.uint8)

    result = differentiate(kernels, random_splats(40), camera, random_photo(camera), mask=mask)

    assert result.loss == pytest.approx(0, abs=1e-6)
    assert result.mse == 0
    assert not result.gradient.any()


@pytest.mark.parametrize("ssim_weight", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("size", [(50, 37), (17, 15), (1, 1), (33, 140)])
def test_gradient_through_an_exposure(kernels: ModuleType, size: tuple[int, int], ssim_weight: float):
    assert_same_gradient(
        kernels, random_splats(60), turned_camera(*size), ssim_weight=ssim_weight, exposure=EXPOSURE
    )


def test_gradient_through_an_exposure_under_a_mask(kernels: ModuleType):
    camera = turned_camera(50, 37)

    assert_same_gradient(
        kernels, random_splats(60), camera, exposure=EXPOSURE, mask=random_mask(camera), antialiased=True
    )


@pytest.mark.parametrize("penalties", [(0.5, 0.0), (0.0, 0.5), (0.01, 0.01)])
@pytest.mark.parametrize("count", [1, 64, 70])
def test_gradient_with_penalties(kernels: ModuleType, count: int, penalties: tuple[float, float]):
    assert_same_gradient(kernels, random_splats(count, seed=1), turned_camera(31, 22), penalties=penalties)


def test_penalties_reach_gaussians_that_are_not_seen(kernels: ModuleType):
    splats = random_splats(70)
    splats = replace(splats, means=-splats.means)

    result = assert_same_gradient(kernels, splats, turned_camera(31, 22), penalties=(0.01, 0.02))

    assert result.gradient[3:6].all()
    assert result.gradient[10].all()


def test_gradient_is_finite_for_zero_quaternions(kernels: ModuleType):
    splats = random_splats(5)
    splats = replace(splats, quats=np.zeros((5, 4), np.float32))
    camera = turned_camera(20, 20)

    result = differentiate(kernels, splats, camera, random_photo(camera))

    assert np.isfinite(result.gradient).all()
