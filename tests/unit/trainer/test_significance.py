from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from splatworks_trainer.significance import worth_keeping


def test_the_least_significant_that_make_up_the_share_are_removed() -> None:
    scores = np.array([50.0, 1.0, 0.0, 47.0, 2.0])

    assert worth_keeping(scores, 0.01).tolist() == [True, False, False, True, True]
    assert worth_keeping(scores, 0.03).tolist() == [True, False, False, True, False]


def test_what_shows_nothing_goes_even_with_the_smallest_share() -> None:
    assert worth_keeping(np.array([1.0, 0.0]), 1e-9).tolist() == [True, False]


def test_one_is_kept_where_none_shows_anything() -> None:
    assert np.count_nonzero(worth_keeping(np.zeros(4), 0.1)) == 1


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1e6)), st.floats(0, 0.5))
def test_what_is_removed_never_makes_up_more_than_the_share(scores: np.ndarray, share: float) -> None:
    keep = worth_keeping(scores, share)

    assert keep.any()
    assert scores[~keep].sum() <= share * scores.sum() + 1e-9 * scores.sum()


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_equal_ones_are_told_apart_by_their_order(share: float) -> None:
    assert worth_keeping(np.ones(10), share).tolist() == [share == 0] + [True] * 9
