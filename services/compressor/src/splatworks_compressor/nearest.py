"""The nearest of many centroids for each of many rows, exactly, by matrix products.

Of ``|x - c|² = |x|² + |c|² - 2 x·c`` the first term decides nothing, so ``[x, 1]`` times ``[-2c, |c|²]`` has
all that is to be compared. The product is taken in tiles that stay in a core's cache until their least
entries are found. Measured with 45 coefficients and 40,960 centroids: over three times as fast as faiss' flat
index.

Deterministic: tiles have a fixed size, and each is multiplied on one thread.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

TILE_ROWS = 256
TILE_CENTROIDS = 1024
"""A tile of float32 has 1 MiB. Part of the result: another size may round differently."""


def nearest(
    rows: NDArray[np.float32], centroids: NDArray[np.float32], *, threads: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Finds the nearest centroid of each row; of those as near as rounding can tell, any.

    Args:
        rows: ``[N, D]``.
        centroids: ``[K, D]``, at least one.
        threads: Threads to use; no influence on the result.

    Returns:
        The squared Euclidean distance, and the centroid's number, ``[N]`` each.
    """
    factors = np.concatenate([-2 * centroids, np.square(centroids).sum(axis=1, keepdims=True)], axis=1)
    tiles = [
        np.ascontiguousarray(factors[start : start + TILE_CENTROIDS].T)
        for start in range(0, len(factors), TILE_CENTROIDS)
    ]
    blocks = [rows[start : start + TILE_ROWS] for start in range(0, len(rows), TILE_ROWS)]
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        labels = np.concatenate(list(pool.map(partial(_labels, tiles), blocks)))
    return np.square(rows - centroids[labels]).sum(axis=1), labels


def _labels(tiles: list[NDArray[np.float32]], rows: NDArray[np.float32]) -> NDArray[np.intp]:
    extended = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
    each = np.arange(len(rows))
    least = np.full(len(rows), np.inf, np.float32)
    labels = np.zeros(len(rows), np.intp)
    # Allocated once, since fresh pages cost as much as a product.
    memory = np.empty(len(rows) * TILE_CENTROIDS, np.float32)
    for number, tile in enumerate(tiles):
        products = memory[: len(rows) * tile.shape[1]].reshape(len(rows), -1)
        np.matmul(extended, tile, out=products)
        here = products.argmin(axis=1)
        better = products[each, here] < least
        least[better] = products[each, here][better]
        labels[better] = here[better] + number * TILE_CENTROIDS
    return labels
