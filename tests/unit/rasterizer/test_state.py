"""A model that is rebuilt from its state goes on as the first one does, to the last bit."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splatworks_rasterizer import GaussianModel, Objective, Rates
from tests.unit.rasterizer.scenes import random_photo, random_splats, turned_camera

RATES = Rates(means=1e-3, log_scales=5e-3, quats=1e-3, opacities=5e-2, sh0=2.5e-3, shN=1e-4)
CAMERA = turned_camera(40, 30)


def step(model: GaussianModel, seed: int = 1) -> None:
    model.step(CAMERA, random_photo(CAMERA, seed), RATES, Objective(sh_degree=2, ssim_weight=0.2))


def trained(count: int, steps: int = 3) -> GaussianModel:
    model = GaussianModel(random_splats(count), capacity=200, threads=2)
    for number in range(steps):
        step(model, number)
    return model


def assert_same(one: GaussianModel, other: GaussianModel) -> None:
    for left, right in zip(
        (*astuple(one.splats()), *astuple(one.statistics())),
        (*astuple(other.splats()), *astuple(other.statistics())),
        strict=True,
    ):
        np.testing.assert_array_equal(left, right)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(0, 150), steps=st.integers(0, 3), before=st.integers(0, 150))
def test_a_restored_model_trains_on_as_the_first(count: int, steps: int, before: int) -> None:
    model, other = trained(count, steps), GaussianModel(random_splats(before, 5), capacity=300, threads=1)

    other.restore(model.state())

    assert_same(other, model)
    for each in (model, other):
        step(each)
        each.edit(np.arange(count) % 3 != 0, random_splats(20, seed=9))
        step(each)
    assert_same(other, model)


def test_what_was_there_before_is_forgotten() -> None:
    """Places beyond the restored Gaussians are empty, whoever was in them."""
    model, other = trained(40), trained(130)

    other.restore(model.state())

    for each in (model, other):
        each.edit(np.ones(40, np.bool_), random_splats(100, seed=3))
        step(each)
    assert_same(other, model)


def test_a_state_is_a_copy() -> None:
    model = trained(70)
    state = model.state()
    before = state["parameters"].copy()

    step(model)

    np.testing.assert_array_equal(state["parameters"], before)


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": None},
        {"first": np.zeros((2, 59, 63), np.float32)},
        {"second": np.zeros((1, 59, 64), np.float32)},
        {"grad2d": np.zeros(70, np.float64)},
        {"grad2d": np.zeros(71, np.float32)},
        {"views": np.zeros(201, np.float32)},
        {"parameters": np.ones((2, 59, 64), np.float32)},
        {"steps": None},
        {"steps": np.array(-1)},
        {"steps": np.array(1.5)},
    ],
    ids=lambda change: "-".join(change),
)
def test_what_is_no_state_is_refused_and_changes_nothing(change: dict[str, np.ndarray | None]) -> None:
    model, same = trained(70), trained(70)
    state = {name: values for name, values in {**model.state(), **change}.items() if values is not None}

    with pytest.raises(ValueError, match="state"):
        model.restore(state)

    assert_same(model, same)
