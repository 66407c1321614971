"""Dropping and adding Gaussians."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest

from splatworks_common.splats import Splats
from splatworks_rasterizer import GaussianModel, Objective, Rates
from tests.unit.rasterizer.scenes import random_photo, random_splats, turned_camera

RATES = Rates(means=1e-3, log_scales=5e-3, quats=1e-3, opacities=5e-2, sh0=2.5e-3, shN=1e-4)
CAMERA = turned_camera(40, 30)


def trained(splats: Splats, capacity: int, steps: int = 3) -> GaussianModel:
    model = GaussianModel(splats, capacity=capacity, threads=2)
    for _ in range(steps):
        model.step(CAMERA, random_photo(CAMERA), RATES, Objective(sh_degree=3, ssim_weight=0.2))
    return model


def assert_same(a: Splats, b: Splats) -> None:
    for left, right in zip(astuple(a), astuple(b), strict=True):
        np.testing.assert_array_equal(left, right)


def test_kept_rows_move_up_and_appended_rows_follow():
    splats = random_splats(200)
    model = GaussianModel(splats, capacity=300, threads=1)
    keep = np.random.default_rng(0).random(200) < 0.6
    new = random_splats(70, seed=9)

    model.edit(keep, new)

    assert model.count == keep.sum() + 70
    assert_same(model.splats().take(np.arange(keep.sum())), splats.take(keep))
    assert_same(model.splats().take(np.arange(keep.sum(), model.count)), new)


def test_kept_rows_keep_their_moments():
    """Two halves that never meet on the image: dropping one leaves the other's training as it was."""
    splats = random_splats(130)
    means = splats.means.copy()
    means[1::2] = [0, 0, -5]  # behind the camera
    splats = replace(splats, means=means)
    untouched, edited = trained(splats, 130), trained(splats, 130)

    edited.edit(np.arange(130) % 2 == 0, random_splats(0))

    for model in (untouched, edited):
        model.step(CAMERA, random_photo(CAMERA), RATES, Objective(sh_degree=3, ssim_weight=0.2))
    assert_same(edited.splats(), untouched.splats().take(np.arange(0, 130, 2)))


def test_appended_rows_start_without_moments():
    """A place freed by a dropped Gaussian carries no momentum over to its successor."""
    model = trained(random_splats(65), 65)
    unseen = replace(random_splats(65), means=np.tile(np.array([0, 0, -5], np.float32), (65, 1)))
    model.edit(np.zeros(65, np.bool_), unseen)
    before = model.splats()

    model.step(CAMERA, random_photo(CAMERA), RATES, Objective(sh_degree=3, ssim_weight=0.2))

    assert_same(model.splats(), before)


def test_statistics_follow_their_rows():
    model = trained(random_splats(90), 100)
    before = model.statistics()
    keep = np.arange(90) % 3 != 0

    model.edit(keep, random_splats(10, seed=4))

    after = model.statistics()
    for name in ("grad2d", "views"):
        np.testing.assert_array_equal(getattr(after, name)[:60], getattr(before, name)[keep])
        assert not getattr(after, name)[60:].any()


def test_everything_can_go_and_come_back():
    splats = random_splats(40)
    model = trained(splats, 40)

    model.edit(np.zeros(40, np.bool_), random_splats(0))
    assert model.count == 0
    assert not model.render(CAMERA).any()
    model.edit(np.zeros(0, np.bool_), splats)

    assert_same(model.splats(), splats)


def test_bands_missing_from_appended_rows_are_zero_even_in_used_places():
    model = trained(random_splats(20), 20)

    model.edit(np.zeros(20, np.bool_), replace(random_splats(20), shN=np.zeros((20, 0, 3), np.float32)))

    assert not model.splats().shN.any()


def test_edit_beyond_capacity_is_refused_and_changes_nothing():
    splats = random_splats(30)
    model = GaussianModel(splats, capacity=32, threads=1)

    with pytest.raises(ValueError, match="33 Gaussians do not fit a capacity of 32"):
        model.edit(np.ones(30, np.bool_), random_splats(3))

    assert_same(model.splats(), splats)


@pytest.mark.parametrize("keep", [np.ones(29, np.bool_), np.ones(30, np.int64), np.ones((30, 1), np.bool_)])
def test_keep_must_be_a_mask_of_all_rows(keep: np.ndarray):
    model = GaussianModel(random_splats(30), capacity=32, threads=1)

    with pytest.raises(ValueError, match="keep is"):
        model.edit(keep, random_splats(0))


def test_splats_is_a_copy():
    model = GaussianModel(random_splats(5), capacity=5, threads=1)

    model.splats().means[:] = 7

    assert not (model.splats().means == 7).any()


@pytest.mark.parametrize(("degree", "coefficients"), [(0, 0), (1, 3), (2, 8), (3, 15)])
def test_splats_up_to_a_degree(degree: int, coefficients: int):
    splats = random_splats(9)
    model = GaussianModel(splats, capacity=9, threads=1)

    np.testing.assert_array_equal(model.splats(degree).shN, splats.shN[:, :coefficients])
