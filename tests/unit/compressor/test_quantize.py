"""Rounding to SOG's codes and back stays within half a step, attribute by attribute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.splats import Splats, rotation_matrices
from splatworks_compressor.config import Shifts
from splatworks_compressor.quantize import (
    MAX_LOGIT,
    MIN_LOG_SCALE,
    QuantizedSplats,
    coarsened,
    dequantize,
    drawable,
    position_shift,
    quantize,
    sigmoid,
    to_log,
)
from tests.unit.compressor.scenes import random_splats

ALL_BITS = Shifts(0, 0, 0, 0, 0)
SHIFTS = st.builds(Shifts, *[st.integers(0, 3)] * 5)
SCENES = st.builds(random_splats, st.integers(1, 300), sh_degree=st.just(0), seed=st.integers(0, 10_000))


def decoded(splats: Splats, shifts: Shifts) -> Splats:
    return dequantize(quantize(splats, shifts, None))


def covariances(splats: Splats) -> np.ndarray:
    axes = rotation_matrices(splats.quats) * np.exp(splats.log_scales.astype(np.float64))[:, None, :]
    return axes @ axes.transpose(0, 2, 1)


@given(SCENES, SHIFTS)
def test_positions_are_within_half_a_cell_of_the_log_grid(splats: Splats, shifts: Shifts) -> None:
    before, after = to_log(splats.means), to_log(decoded(splats, shifts).means)

    cell = (before.max(axis=0) - before.min(axis=0)) / 65535 * (1 << shifts.positions)
    assert (np.abs(after - before) <= cell / 2 + 1e-5).all()


@given(SCENES, SHIFTS)
def test_opacities_are_within_half_a_step(splats: Splats, shifts: Shifts) -> None:
    error = sigmoid(decoded(splats, shifts).opacities) - sigmoid(splats.opacities)

    assert np.abs(error).max() <= (1 << shifts.opacities) / 255 / 2 + 1e-6


@given(SCENES, SHIFTS)
def test_colours_are_within_half_a_step_of_the_range(splats: Splats, shifts: Shifts) -> None:
    low, high = np.percentile(splats.sh0, (0.01, 99.99))

    error = np.abs(decoded(splats, shifts).sh0 - np.clip(splats.sh0, low, high))

    assert error.max() <= (high - low) / ((256 >> shifts.colours) - 1) / 2 + 1e-5


@given(SCENES)
def test_shapes_stay_close(splats: Splats) -> None:
    before, after = covariances(splats), covariances(decoded(splats, ALL_BITS))

    size = np.abs(before).max(axis=(1, 2))
    assert (np.abs(after - before).max(axis=(1, 2)) <= 0.05 * size).all()


def test_rounding_has_no_bias() -> None:
    splats = random_splats(20_000, sh_degree=0)

    error = sigmoid(decoded(splats, ALL_BITS).opacities) - sigmoid(splats.opacities)

    assert abs(error.mean()) < 0.02 / 255


@given(st.floats(0, 255), st.integers(0, 3))
def test_coarsened_keeps_the_middle_of_the_cell(value: float, shift: int) -> None:
    code = int(coarsened(np.array([value]), shift, 255)[0])

    assert 0 <= code <= 255
    assert abs(code - value) <= (1 << shift) / 2
    if shift:
        assert code % (1 << shift) == (1 << shift) // 2


@pytest.mark.parametrize("left_out", [0, 1, 2, 3])
def test_the_component_that_the_tag_names_is_restored(left_out: int) -> None:
    quat = np.full(4, 0.3)
    quat[left_out] = np.sqrt(1 - 3 * 0.09)
    three = np.rint((np.delete(quat, left_out) / np.sqrt(2) + 0.5) * 255)
    one = quantize(random_splats(1, sh_degree=0), ALL_BITS, None)
    codes = replace(one, quats=np.array([[*three, 252 + left_out]], np.uint8))

    np.testing.assert_allclose(dequantize(codes).quats[0], quat, atol=0.01)


def test_one_gaussian_keeps_its_place() -> None:
    splats = random_splats(1, sh_degree=0)

    np.testing.assert_allclose(decoded(splats, Shifts(1, 0, 1, 1, 1)).means, splats.means, rtol=1e-6)


def test_equal_means_stay_equal() -> None:
    splats = replace(random_splats(9, sh_degree=0), means=np.full((9, 3), -3.25, np.float32))

    np.testing.assert_allclose(decoded(splats, ALL_BITS).means, splats.means, rtol=1e-6)


def test_far_positions_survive() -> None:
    splats = replace(random_splats(2, sh_degree=0), means=np.array([[-1e30] * 3, [1e30] * 3], np.float32))

    np.testing.assert_allclose(decoded(splats, ALL_BITS).means, splats.means, rtol=1e-4)


def broken(field: str, value: float) -> Splats:
    splats = random_splats(3)
    table = getattr(splats, field).copy()
    table[1] = value
    return replace(splats, **{field: table})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["means", "log_scales", "quats", "sh0", "shN"])
def test_gaussians_with_values_that_are_not_finite_are_not_drawable(field: str, value: float) -> None:
    _, keep = drawable(broken(field, value))

    assert keep[1] == False  # noqa: E712
    assert keep[[0, 2]].all()


@pytest.mark.parametrize(
    ("field", "value"), [("quats", 0.0), ("opacities", np.nan), ("opacities", -np.inf), ("opacities", -6.0)]
)
def test_gaussians_without_rotation_or_opacity_are_not_drawable(field: str, value: float) -> None:
    _, keep = drawable(broken(field, value))

    assert keep.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("field", "value"),
    [("means", 1e30), ("log_scales", 60), ("sh0", -1e9), ("shN", 1e9), ("log_scales", 1e30)],
)
def test_gaussians_beyond_float32_are_not_drawable(field: str, value: float) -> None:
    _, keep = drawable(broken(field, value))

    assert keep.tolist() == [True, False, True]


def test_vanishing_scales_are_raised() -> None:
    clipped, keep = drawable(broken("log_scales", -1e30))

    assert keep.all()
    assert clipped.log_scales[1].tolist() == [MIN_LOG_SCALE] * 3


def test_full_opacity_is_drawable_and_becomes_finite() -> None:
    clipped, keep = drawable(broken("opacities", np.inf))

    assert keep.all()
    assert clipped.opacities[1] == pytest.approx(MAX_LOGIT)


def test_small_object_gives_up_a_position_bit() -> None:
    assert position_shift(random_splats(500), 1, tolerance=0.05) == 1


def test_unbounded_scene_keeps_all_position_bits() -> None:
    splats = random_splats(500)
    far = splats.means.copy()
    far[0] = 1e6

    assert position_shift(replace(splats, means=far), 1, tolerance=0.05) == 0


def test_codes_have_the_types_of_the_textures() -> None:
    codes = quantize(random_splats(5), ALL_BITS, None)

    assert isinstance(codes, QuantizedSplats)
    assert codes.means.dtype == np.uint16
    assert {codes.quats.dtype, codes.scales.dtype, codes.colours.dtype} == {np.dtype(np.uint8)}
