"""The Hilbert curve visits every cell once, step by step, and equal cells keep their order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from splatworks_compressor.order import hilbert_keys, hilbert_order

GRIDS = hnp.arrays(np.uint16, st.tuples(st.integers(1, 60), st.just(3)))


def test_curve_visits_every_cell_of_a_cube_once() -> None:
    cells = np.stack(np.meshgrid(*[np.arange(8)] * 3), axis=-1).reshape(-1, 3)

    keys = hilbert_keys(cells, bits=3)

    assert sorted(keys.tolist()) == list(range(512))


def test_consecutive_cells_share_a_face() -> None:
    cells = np.stack(np.meshgrid(*[np.arange(8)] * 3), axis=-1).reshape(-1, 3)

    path = cells[np.argsort(hilbert_keys(cells, bits=3))]

    assert (np.abs(np.diff(path, axis=0)).sum(axis=1) == 1).all()


def test_keys_of_the_full_grid_tell_its_corners_apart() -> None:
    corners = np.stack(np.meshgrid(*[[0, 65535]] * 3), axis=-1).reshape(-1, 3)

    keys = hilbert_keys(corners)

    assert len(set(keys.tolist())) == 8
    assert int(keys.max()) < 2**48


@given(GRIDS)
def test_order_is_a_permutation(grid: np.ndarray) -> None:
    assert sorted(hilbert_order(grid).tolist()) == list(range(len(grid)))


@given(GRIDS)
def test_order_sorts_the_keys(grid: np.ndarray) -> None:
    keys = hilbert_keys(grid)[hilbert_order(grid)]

    assert (keys[1:] >= keys[:-1]).all()


def test_equal_positions_keep_their_order() -> None:
    assert hilbert_order(np.full((5, 3), 77, np.uint16)).tolist() == [0, 1, 2, 3, 4]
