"""The nearest of many centroids for each of many rows, exactly, by matrix products.

Of ``|x - c|² = |x|² + |c|² - 2 x·c`` the first term decides nothing, so ``[x, 1]`` times ``[-2c, |c|²]`` has
all that is to be compared. The product is taken in tiles that stay in a core's cache until their least
entries are found. Measured with 45 coefficients and 40,960 centroids: over three times as fast as faiss' flat
index.

Deterministic: tiles have a fixed size, and each is multiplied on one thread. That holds for one search at a
time in a process, since the limit on the threads of a BLAS is the whole process's.
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


def nearest_centroids(
    rows: NDArray[np.float32], centroids: NDArray[np.float32], *, threads: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Finds the nearest centroid of each row; of those as near as rounding can tell, any.

    Args:
        rows: ``[N, D]``, at least one.
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
        distances, labels = zip(*pool.map(partial(_of_block, centroids, tiles), blocks), strict=True)
    return np.concatenate(distances), np.concatenate(labels)


def _of_block(
    centroids: NDArray[np.float32], tiles: list[NDArray[np.float32]], rows: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    extended = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
    each = np.arange(len(rows))
    least = np.full(len(rows), np.inf, np.float32)
    labels = np.zeros(len(rows), np.intp)
    # Allocated once for all tiles, since fresh pages cost as much as a product.
    memory = np.empty(len(rows) * TILE_CENTROIDS, np.float32)
    for number, tile in enumerate(tiles):
        products = memory[: len(rows) * tile.shape[1]].reshape(len(rows), -1)
        np.matmul(extended, tile, out=products)
        here = products.argmin(axis=1)
        least_here = products[each, here]
        better = least_here < least
        least[better] = least_here[better]
        labels[better] = here[better] + number * TILE_CENTROIDS
    # Not what was compared, which cancels where a row is close to its centroid.
    return np.square(rows - centroids[labels]).sum(axis=1), labels
