"""The search for the nearest centroid: exact, across its tiles' edges, alike for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import threadpoolctl

from splatworks_compressor import nearest as module
from splatworks_compressor.nearest import TILE_CENTROIDS, TILE_ROWS, nearest_centroids


def values(count: int, dimensions: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (count, dimensions)).astype(np.float32)


@pytest.mark.parametrize("count", [1, TILE_CENTROIDS, 2 * TILE_CENTROIDS + 1])
def test_no_centroid_is_nearer(count: int) -> None:
    rows, centroids = values(TILE_ROWS + 3), values(count, seed=1)
    exact = np.square(rows[:, None].astype(np.float64) - centroids).sum(axis=2)

    distances, labels = nearest_centroids(rows, centroids, threads=2)

    np.testing.assert_allclose(exact[np.arange(len(rows)), labels], exact.min(axis=1), rtol=1e-4)
    np.testing.assert_allclose(distances, exact.min(axis=1), rtol=1e-4)


def test_a_row_that_is_a_centroid_has_no_distance_from_it() -> None:
    centroids = values(3 * TILE_CENTROIDS, 45)

    distances, labels = nearest_centroids(centroids[::-1], centroids, threads=2)

    assert labels.tolist() == list(range(len(centroids)))[::-1]
    assert not distances.any()


def test_threads_do_not_change_the_result() -> None:
    rows, centroids = values(5 * TILE_ROWS, 45), values(TILE_CENTROIDS + 100, 45, seed=1)

    one, three = (nearest_centroids(rows, centroids, threads=threads) for threads in (1, 3))

    assert [array.tobytes() for array in one] == [array.tobytes() for array in three]


def test_products_are_taken_on_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    search = module._of_block
    seen: set[int] = set()

    def looked_at(*arguments: Any) -> Any:
        seen.update(
            library["num_threads"]
            for library in threadpoolctl.threadpool_info()
            if library["user_api"] == "blas"
        )
        return search(*arguments)

    monkeypatch.setattr(module, "_of_block", looked_at)
    nearest_centroids(values(10), values(10), threads=2)

    assert seen == {1}
