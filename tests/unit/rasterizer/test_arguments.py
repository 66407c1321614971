"""Arguments that can not be right are refused before anything happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from splatworks_rasterizer import GaussianModel, Objective, Rates, render
from tests.unit.rasterizer.scenes import random_photo, random_splats, turned_camera

CAMERA = turned_camera(20, 10)
RATES = Rates(0, 0, 0, 0, 0, 0)
OBJECTIVE = Objective(sh_degree=0, ssim_weight=0.2)


def small_model() -> GaussianModel:
    return GaussianModel(random_splats(3), capacity=4, threads=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "0 x 10 pixels"),
        ({"height": -1}, "20 x -1 pixels"),
        ({"width": 40_000}, "40000 x 10 pixels"),
        ({"fx": np.nan}, "intrinsics"),
        ({"fy": 0.0}, "intrinsics"),
        ({"cx": np.inf}, "intrinsics"),
        ({"viewmat": np.full((4, 4), np.nan)}, "no finite 4 x 4 viewmat"),
        ({"viewmat": np.eye(3)}, "no finite 4 x 4 viewmat"),
        ({"viewmat": np.diag([2.0, 2.0, 2.0, 1.0])}, "not orthonormal"),
    ],
)
def test_unusable_camera_is_refused(change: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        small_model().render(replace(CAMERA, **change))


@pytest.mark.parametrize(
    "photo", [np.zeros((10, 20, 3)), np.zeros((20, 10, 3), np.uint8), np.zeros((10, 20), np.uint8)]
)
def test_photo_of_another_type_or_size_is_refused(photo: np.ndarray):
    with pytest.raises(ValueError, match="photo is"):
        small_model().step(CAMERA, photo, RATES, OBJECTIVE)


@pytest.mark.parametrize(
    "mask", [np.zeros((10, 20), bool), np.zeros((20, 10), np.uint8), np.zeros((10, 20, 1), np.uint8)]
)
def test_mask_of_another_type_or_size_is_refused(mask: np.ndarray):
    with pytest.raises(ValueError, match="mask is"):
        small_model().step(CAMERA, random_photo(CAMERA), RATES, OBJECTIVE, mask=mask)


@pytest.mark.parametrize(
    "exposure", [np.eye(3, 4), np.eye(4, dtype=np.float32), np.full((3, 4), np.nan, np.float32)]
)
def test_exposure_that_is_no_finite_map_is_refused(exposure: np.ndarray):
    with pytest.raises(ValueError, match="exposure"):
        small_model().step(CAMERA, random_photo(CAMERA), RATES, OBJECTIVE, exposure=exposure)


@pytest.mark.parametrize("name", ["ssim_weight", "opacity_penalty", "scale_penalty"])
@pytest.mark.parametrize("weight", [-0.1, np.inf, np.nan])
def test_weight_outside_its_range_is_refused(name: str, weight: float):
    change: dict[str, Any] = {name: weight}
    with pytest.raises(ValueError, match=name):
        replace(OBJECTIVE, **change)


def test_more_ssim_than_there_is_loss_is_refused():
    with pytest.raises(ValueError, match="ssim_weight"):
        replace(OBJECTIVE, ssim_weight=1.1)


@pytest.mark.parametrize("values", [np.zeros((10, 20)), np.full((10, 20), np.nan, np.float32)])
def test_values_to_blend_must_be_a_finite_image(values: np.ndarray):
    with pytest.raises(ValueError, match="values"):
        small_model().blended(CAMERA, values)


@pytest.mark.parametrize(("length", "seed"), [(-1.0, 0), (np.nan, 0), (1.0, -1), (1.0, 2**64)])
def test_perturbation_outside_its_range_is_refused(length: float, seed: int):
    with pytest.raises(ValueError, match=r"length|seed"):
        small_model().perturb(length, seed)


@pytest.mark.parametrize("degree", [-1, 4])
def test_unknown_degree_is_refused(degree: int):
    with pytest.raises(ValueError, match="sh_degree"):
        replace(OBJECTIVE, sh_degree=degree)
    with pytest.raises(ValueError, match="sh_degree"):
        small_model().render(CAMERA, sh_degree=degree)
    with pytest.raises(ValueError, match="sh_degree"):
        small_model().splats(degree)


def test_background_must_be_finite():
    with pytest.raises(ValueError, match="background"):
        small_model().render(CAMERA, background=(0, np.nan, 0))
    with pytest.raises(ValueError, match="background"):
        replace(OBJECTIVE, background=(0, np.nan, 0))


def test_more_splats_than_capacity_are_refused():
    with pytest.raises(ValueError, match="3 Gaussians do not fit a capacity of 2"):
        GaussianModel(random_splats(3), capacity=2, threads=1)


def test_at_least_one_thread_is_needed():
    with pytest.raises(ValueError, match="threads is 0"):
        render(random_splats(3), CAMERA, threads=0)


@pytest.mark.parametrize("rate", [-1e-3, np.nan, np.inf])
def test_rates_must_be_finite_and_not_negative(rate: float):
    with pytest.raises(ValueError, match="rate quats"):
        replace(RATES, quats=rate)


def test_more_pairs_than_can_be_counted_are_refused():
    many = random_splats(8200)
    many = replace(many, log_scales=many.log_scales + 12, opacities=many.opacities + 8)
    camera = replace(turned_camera(8192, 8192), fx=900.0, fy=900.0)

    with pytest.raises(ValueError, match="pairs of a Gaussian and a tile"):
        GaussianModel(many, capacity=8200, threads=2).render(camera)
