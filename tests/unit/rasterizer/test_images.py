"""Rendered images against the float64 reference."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats
from splatworks_rasterizer import GaussianModel, render
from tests.unit.rasterizer import reference
from tests.unit.rasterizer.native_views import differentiate
from tests.unit.rasterizer.scenes import (
    BACKGROUND,
    assert_decided,
    random_photo,
    random_splats,
    turned_camera,
)


def expected_image(splats: Splats, camera: Camera, degree: int = 3) -> reference.Array:
    assert_decided(splats, camera)
    return reference.render(reference.table(splats), camera, degree, BACKGROUND)


@pytest.mark.parametrize("size", [(1, 1), (15, 15), (16, 16), (17, 17), (16, 33), (101, 67)])
def test_image_at_any_size(kernels: ModuleType, size: tuple[int, int]):
    camera = turned_camera(*size)
    splats = random_splats(90, seed=8)

    result = differentiate(kernels, splats, camera, random_photo(camera), background=BACKGROUND)

    np.testing.assert_allclose(result.image, expected_image(splats, camera), rtol=0, atol=2e-6)


def test_many_faint_layers_still_add_up(kernels: ModuleType):
    camera = turned_camera(33, 21)
    splats = random_splats(700, seed=8)
    splats = replace(splats, opacities=splats.opacities - 3)

    result = differentiate(kernels, splats, camera, random_photo(camera), background=BACKGROUND)

    np.testing.assert_allclose(result.image, expected_image(splats, camera), rtol=0, atol=2e-6)


def test_gaussians_of_any_size_at_once(kernels: ModuleType):
    """From a millionth of a pixel to ten thousand images."""
    camera = turned_camera(45, 35)
    splats = random_splats(60, seed=4)
    sizes = np.linspace(-14, 10, 60, dtype=np.float32)[:, None]
    splats = replace(splats, log_scales=splats.log_scales + sizes)

    result = differentiate(kernels, splats, camera, random_photo(camera), background=BACKGROUND)

    np.testing.assert_allclose(result.image, expected_image(splats, camera), rtol=0, atol=2e-6)


def test_mse_is_that_of_the_clipped_image(kernels: ModuleType):
    camera = turned_camera(40, 30)
    splats = random_splats(60)
    splats = replace(splats, sh0=splats.sh0 * 3, opacities=splats.opacities + 2)
    photo = random_photo(camera)

    result = differentiate(kernels, splats, camera, photo, background=BACKGROUND)

    image = expected_image(splats, camera)
    assert image.max() > 1.2
    assert result.mse == pytest.approx(np.square(image.clip(0, 1) - photo / 255).mean(), rel=1e-5)


def test_equal_depths_are_drawn_in_the_order_of_the_table():
    """A red disc before a green one at the same place: the first wins."""
    one = random_splats(1)
    two = replace(
        one.take(np.array([0, 0])),
        means=np.array([[0, 0, 3], [0, 0, 3]], np.float32),
        opacities=np.array([20, 20], np.float32),
        sh0=np.array([[1.7, -1.8, -1.8], [-1.8, 1.7, -1.8]], np.float32),
        shN=np.zeros((2, 0, 3), np.float32),
    )
    camera = replace(turned_camera(21, 21), viewmat=np.eye(4), cx=10.5, cy=10.5)

    picture = render(two, camera, threads=1)

    assert picture[10, 10, 0] > 0.9
    assert picture[10, 10, 1] < 0.02


def test_render_function_uses_the_bands_that_are_there():
    camera = turned_camera(30, 20)
    splats = random_splats(30)
    first_band = replace(splats, shN=splats.shN[:, :3])

    picture = render(first_band, camera, threads=1, background=BACKGROUND)

    np.testing.assert_allclose(picture, expected_image(splats, camera, degree=1), rtol=0, atol=2e-6)


def test_missing_bands_count_as_zero():
    camera = turned_camera(30, 20)
    flat_colours = replace(random_splats(30), shN=np.zeros((30, 0, 3), np.float32))
    model = GaussianModel(flat_colours, capacity=30, threads=1)

    np.testing.assert_array_equal(model.render(camera, sh_degree=3), model.render(camera, sh_degree=0))


def test_a_gaussian_too_faint_to_see_changes_nothing():
    camera = turned_camera(30, 20)
    splats = replace(random_splats(20), opacities=np.full(20, -5.6, np.float32))

    assert not render(splats, camera, threads=1).any()
