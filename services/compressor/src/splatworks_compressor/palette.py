"""The palette of higher SH bands: at most 65,536 typical coefficient sets, and one label for each Gaussian.

Weighted k-means, with an exact search (``nearest``). The SH basis is orthonormal, so the plain Euclidean
distance between two coefficient sets is the colour difference averaged over all directions.

Deterministic: the same input and seed give the same palette for any number of threads. Sums are taken in row
order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from splatworks_common.splats import SH_REST_BY_DEGREE
from splatworks_compressor import codebook
from splatworks_compressor.nearest import nearest_centroids

FIT_ROWS = 262144
"""At most this many Gaussians, drawn at random, shape the centroids of a large scene; all get a label."""

STEP_PER_ERROR = 2.0
"""Distance of the codebook's entries, as a multiple of the k-means error per coefficient (root mean square).

The error of rounding the centroids is then a third of the palette's own. Measured best in dB per byte:
finer steps cost more in the centroid image than they give, wider ones save less than fewer centroids
would."""


@dataclass(frozen=True)
class Palette:
    """The higher SH bands of N Gaussians.

    Attributes:
        codebook: The numbers that centroids are made of, ascending, at most 256.
        centroids: Indices into ``codebook``, coefficient-major as in ``Splats.shN``, ``[K, C, 3]``.
        labels: Which centroid each Gaussian has, ``[N]``.
    """

    codebook: NDArray[np.float32]
    centroids: NDArray[np.uint8]
    labels: NDArray[np.uint16]

    @property
    def degree(self) -> int:
        """The spherical harmonics degree, 1 to 3."""
        return SH_REST_BY_DEGREE.index(self.centroids.shape[1])

    def decoded(self) -> NDArray[np.float32]:
        """The coefficients of each Gaussian, ``[N, C, 3]``."""
        return self.codebook[self.centroids][self.labels]


def build_palette(
    shN: NDArray[np.float32],  # [N, C, 3], C >= 1
    weights: NDArray[np.float32],  # [N], positive
    *,
    entries: int,
    iterations: int,
    seed: int,
    threads: int,
    progress: Callable[[int, int], None],
) -> Palette:
    """Finds a palette and labels every row.

    Args:
        shN: The higher bands, at least one row.
        weights: How much an error of each row counts, in any unit.
        entries: Centroids to find, 1 to 65536; the palette has fewer where rows, or rounded centroids,
            coincide.
        iterations: Rounds of k-means, at least 1; 2 reach within 3 % of what 20 do.
        seed: Seed of the first centroids and of the rows used in large scenes.
        threads: Threads of the search; no influence on the result.
        progress: Called with searches done and searches in all.
    """
    rows = shN.reshape(len(shN), -1)
    rng = np.random.default_rng(seed)
    total = iterations + 1
    fitted, fitted_weights = rows, weights
    if len(rows) > FIT_ROWS:
        chosen = np.sort(rng.choice(len(rows), FIT_ROWS, replace=False))
        fitted, fitted_weights = rows[chosen], weights[chosen]
    centroids = _first_centroids(fitted, fitted_weights, min(entries, len(fitted)), rng)
    error = 0.0
    for iteration in range(iterations):
        distances, labels = nearest_centroids(fitted, centroids, threads=threads)
        error = float(np.average(distances, weights=fitted_weights))
        centroids = _moved(fitted, fitted_weights, distances, labels, centroids)
        progress(iteration + 1, total)
    step = STEP_PER_ERROR * float(np.sqrt(error / rows.shape[1]))
    numbers = codebook.around_zero(centroids, step, codebook.ENTRIES)
    rounded = np.unique(codebook.nearest(numbers, centroids), axis=0)
    _, labels = nearest_centroids(rows, numbers[rounded], threads=threads)
    progress(total, total)
    popularity = np.bincount(labels, minlength=len(rounded))
    used = np.argsort(-popularity, kind="stable")[: np.count_nonzero(popularity)]
    position = np.zeros(len(rounded), np.uint16)
    position[used] = np.arange(len(used))
    return Palette(numbers, rounded[used].reshape(-1, *shN.shape[1:]), position[labels])


def _first_centroids(
    rows: NDArray[np.float32], weights: NDArray[np.float32], entries: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Different rows drawn with a chance in proportion to their weighted energy, ``[entries, D]``.

    Measured 0.2 dB better than equal chances: most rows are nearly zero, and one centroid serves them all.
    """
    energy = weights * np.square(rows, dtype=np.float64).sum(axis=1)
    floor = max(energy.mean() * 1e-6, np.finfo(np.float64).tiny)
    chances = (energy + floor) / (energy + floor).sum()
    return rows[np.sort(rng.choice(len(rows), entries, replace=False, p=chances))]


def _moved(
    rows: NDArray[np.float32],
    weights: NDArray[np.float32],
    distances: NDArray[np.float32],
    labels: NDArray[np.intp],
    centroids: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Centroids at the weighted mean of their rows; those without any go to the rows served worst."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sums = np.add.reduceat(rows[order] * weights[order, None], starts, axis=0)
    moved = centroids.copy()
    moved[labels[order][starts]] = sums / np.add.reduceat(weights[order], starts)[:, None]
    empty = np.flatnonzero(np.bincount(labels, minlength=len(centroids)) == 0)
    moved[empty] = rows[np.argsort(-weights * distances, kind="stable")[: len(empty)]]
    return moved
