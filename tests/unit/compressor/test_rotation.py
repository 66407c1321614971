"""Cube-canonical rotations describe the same Gaussian in less space."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from splatworks_common.splats import rotation_matrices
from splatworks_compressor.rotation import canonicalise

QUATS = hnp.arrays(np.float32, (7, 4), elements=st.floats(-1, 1, width=32)).filter(
    lambda quats: bool((np.linalg.norm(quats, axis=1) > 1e-3).all())
)
LOG_SCALES = hnp.arrays(np.float32, (7, 3), elements=st.floats(-6, 1, width=32))


def covariances(quats: np.ndarray, log_scales: np.ndarray) -> np.ndarray:
    axes = rotation_matrices(quats.astype(np.float64)) * np.exp(log_scales.astype(np.float64))[:, None, :]
    return axes @ axes.transpose(0, 2, 1)


@given(QUATS, LOG_SCALES)
def test_covariance_is_preserved(quats: np.ndarray, log_scales: np.ndarray) -> None:
    before = covariances(quats, log_scales)

    after = covariances(*canonicalise(quats, log_scales))

    size = np.abs(before).max(axis=(1, 2), keepdims=True)
    assert np.abs(after - before).max() <= 1e-6 * size.max()
    assert (np.abs(after - before) <= 1e-6 * size).all()


@given(QUATS, LOG_SCALES)
def test_w_is_the_largest_component_and_the_others_are_small(
    quats: np.ndarray, log_scales: np.ndarray
) -> None:
    turned, _ = canonicalise(quats, log_scales)

    assert (turned[:, 0] > 0.85).all()
    assert (np.abs(turned[:, 1:]) < 0.39).all()


@given(QUATS, LOG_SCALES)
def test_quaternions_have_length_one(quats: np.ndarray, log_scales: np.ndarray) -> None:
    turned, _ = canonicalise(quats, log_scales)

    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-12)


def test_quarter_turn_becomes_a_permutation_of_the_scales() -> None:
    quarter_about_z = np.array([[np.sqrt(0.5), 0, 0, np.sqrt(0.5)]], np.float32)

    turned, log_scales = canonicalise(quarter_about_z, np.array([[1, 2, 3]], np.float32))

    np.testing.assert_allclose(turned, [[1, 0, 0, 0]], atol=1e-7)
    assert log_scales.tolist() == [[2, 1, 3]]
