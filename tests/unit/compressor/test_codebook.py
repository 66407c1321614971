"""Codebooks cover their values with equal steps, and indices point to the closest entry."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from splatworks_compressor import codebook

VALUES = hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-10, 10, width=32))


@given(VALUES, st.integers(2, 256))
def test_nearest_finds_the_closest_entry(values: np.ndarray, levels: int) -> None:
    book = codebook.uniform(values, levels, (0, 100))

    error = np.abs(book[codebook.nearest(book, values)] - values)

    least = np.abs(values[:, None] - book).min(axis=1)
    np.testing.assert_allclose(error, least, atol=2e-6)


@given(VALUES, st.integers(2, 256))
def test_uniform_error_is_half_a_step_at_most(values: np.ndarray, levels: int) -> None:
    book = codebook.uniform(values, levels, (0, 100))

    error = np.abs(book[codebook.nearest(book, values)] - values)

    assert error.max() <= (values.max() - values.min()) / (levels - 1) / 2 + 2e-6


def test_uniform_is_not_stretched_by_an_outlier() -> None:
    values = np.append(np.linspace(0, 1, 100_000), 1e6).astype(np.float32)

    assert codebook.uniform(values, 256, (0.01, 99.99))[-1] < 1.01


@given(VALUES, st.floats(1e-6, 10), st.integers(3, 256))
def test_around_zero_holds_exactly_zero_within_the_allowed_entries(
    values: np.ndarray, step: float, max_levels: int
) -> None:
    book = codebook.around_zero(values, step, max_levels)

    assert 0 in book.tolist()
    assert len(book) <= max_levels


@given(VALUES, st.floats(0.1, 10))
def test_around_zero_covers_the_values_by_half_a_step(values: np.ndarray, step: float) -> None:
    book = codebook.around_zero(values, step, 256)

    error = np.abs(book[codebook.nearest(book, values)] - values)

    assert error.max() <= step / 2 + 1e-5


def test_around_zero_of_zeros_is_a_single_zero() -> None:
    assert codebook.around_zero(np.zeros(3, np.float32), 0.0, 256).tolist() == [0]


def test_padding_repeats_the_last_entry_to_256() -> None:
    padded = codebook.padded(np.array([1, 2, 5], np.float32))

    assert padded.shape == (256,)
    assert padded[:3].tolist() == [1, 2, 5]
    assert (padded[3:] == 5).all()
