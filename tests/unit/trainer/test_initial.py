from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from splatworks_common.cameras import Camera
from splatworks_common.splats import SH_C0, Splats
from splatworks_trainer.initial import FirstLook, scene_scale, splats_from_points


def camera_at(x: float, y: float, z: float) -> Camera:
    viewmat = np.eye(4)
    viewmat[:3, 3] = (-x, -y, -z)
    return Camera("a.jpg", viewmat, 100.0, 100.0, 50.0, 50.0, 100, 100)


RECIPE = FirstLook(opacity=0.1, shrink=1.0)


def start(
    points: object,
    *,
    cameras: list[Camera] | None = None,
    max_gaussians: int = 1000,
    look: FirstLook = RECIPE,
) -> Splats:
    positions = np.asarray(points, np.float64)
    colors = np.tile(np.array([[255, 128, 0]], np.uint8), (len(positions), 1))
    return splats_from_points(
        positions,
        colors,
        cameras or [camera_at(0, 0, -10)],
        look=look,
        sh_degree=3,
        max_gaussians=max_gaussians,
        rng=np.random.default_rng(0),
    )


def test_a_gaussian_is_as_wide_as_the_gaps_to_its_three_neighbours() -> None:
    corners = [[0, 0, 0], [0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.2]]

    splats = start(corners)

    expected = np.sqrt((0.1**2 + 0.2**2 + 0.2**2) / 3)
    np.testing.assert_allclose(np.exp(splats.log_scales[0]), [expected] * 3, rtol=1e-5)


def test_the_first_look_makes_gaussians_smaller_and_more_opaque() -> None:
    corners = [[0, 0, 0], [1, 0, 0]]

    wide, narrow = start(corners), start(corners, look=FirstLook(opacity=0.5, shrink=10.0))

    np.testing.assert_allclose(np.exp(narrow.log_scales), np.exp(wide.log_scales) / 10, rtol=1e-5)
    np.testing.assert_allclose(expit(narrow.opacities), 0.5, rtol=1e-6)


def test_opacity_and_colour_are_those_of_the_recipe() -> None:
    splats = start([[0, 0, 0], [1, 0, 0]])

    np.testing.assert_allclose(expit(splats.opacities), 0.1, rtol=1e-6)
    np.testing.assert_allclose(splats.sh0[0] * SH_C0 + 0.5, [1, 128 / 255, 0], atol=1e-6)
    assert splats.shN.shape == (2, 15, 3)
    assert not splats.shN.any()


def test_a_lone_far_point_does_not_cover_the_scene() -> None:
    near = np.random.default_rng(1).normal(0, 0.1, (20, 3))
    splats = start(np.vstack([near, [[0, 0, 90]]]))

    assert np.exp(splats.log_scales[-1]) == pytest.approx(0.05 * 100)


def test_points_on_one_spot_get_a_finite_size() -> None:
    splats = start([[0, 0, 0]] * 5)

    np.testing.assert_allclose(np.exp(splats.log_scales), 1e-4 * 10, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_points_are_enough(count: int) -> None:
    splats = start([[0.1 * i, 0, 0] for i in range(count)])

    assert np.isfinite(splats.log_scales).all()


def test_the_budget_bounds_the_first_gaussians_too() -> None:
    points = np.random.default_rng(2).normal(size=(500, 3))

    splats = start(points, max_gaussians=100)

    assert len(splats) == 100
    assert len(np.unique(splats.means, axis=0)) == 100


def test_scene_scale_is_a_little_more_than_the_reach_of_the_cameras() -> None:
    cameras = [camera_at(-2, 0, 0), camera_at(2, 0, 0), camera_at(0, 0, 0)]

    assert scene_scale(cameras, np.array([[0.0, 0.0, 3.0]])) == pytest.approx(2.2)


def test_photos_from_one_spot_get_their_scale_from_the_points() -> None:
    assert scene_scale([camera_at(0, 0, 0)] * 3, np.array([[0.0, 0.0, 30.0]])) == pytest.approx(3.0)
