"""The palette: small errors where they matter, one result for any number of threads, degenerate inputs."""

from __future__ import annotations

import numpy as np
import pytest

from splatworks_compressor import palette as module
from splatworks_compressor.palette import Palette, build_palette


def coefficients(count: int, terms: int = 15, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (count, terms, 3)).astype(np.float32)


def build(
    shN: np.ndarray, entries: int, *, threads: int = 2, seed: int = 0, weights: np.ndarray | None = None
) -> Palette:
    if weights is None:
        weights = np.ones(len(shN), np.float32)
    return build_palette(
        shN,
        weights,
        entries=entries,
        iterations=3,
        seed=seed,
        threads=threads,
        progress=lambda done, total: None,
    )


def squared_errors(palette: Palette, shN: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(palette.decoded() - shN).sum(axis=(1, 2)))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_the_palette(threads: int) -> None:
    shN = coefficients(9000)

    one, other = build(shN, 128, threads=2), build(shN, 128, threads=threads)

    assert one.centroids.tobytes() == other.centroids.tobytes()
    assert one.labels.tobytes() == other.labels.tobytes()
    assert one.codebook.tobytes() == other.codebook.tobytes()


def test_seed_changes_the_palette() -> None:
    shN = coefficients(500)

    assert build(shN, 32, seed=1).labels.tobytes() != build(shN, 32, seed=2).labels.tobytes()


def test_more_entries_are_closer() -> None:
    shN = coefficients(2000)

    assert squared_errors(build(shN, 512), shN).mean() < squared_errors(build(shN, 32), shN).mean()


def test_every_label_is_the_closest_entry() -> None:
    shN = coefficients(400, terms=3)
    palette = build(shN, 20)

    entries = palette.codebook[palette.centroids].reshape(len(palette.centroids), -1)
    distances = np.square(shN.reshape(400, 1, -1) - entries).sum(axis=2)

    np.testing.assert_allclose(squared_errors(palette, shN), distances.min(axis=1), rtol=1e-4)


def test_heavier_rows_are_closer() -> None:
    shN = coefficients(2000)
    weights = np.where(np.arange(2000) % 2, 1.0, 1e-3).astype(np.float32)

    errors = squared_errors(build(shN, 64, weights=weights), shN)

    assert errors[1::2].mean() < errors[::2].mean()


def test_few_different_rows_are_found_exactly() -> None:
    kinds = coefficients(5, terms=8)
    shN = kinds[np.arange(300) % 5]

    palette = build(shN, 64)

    assert len(palette.centroids) == 5
    assert np.abs(palette.decoded() - shN).max() < 0.003


def test_fewer_rows_than_entries() -> None:
    shN = coefficients(7)

    palette = build(shN, 1024)

    assert len(palette.centroids) == 7
    assert np.abs(palette.decoded() - shN).max() < 0.003


def test_zeros_stay_exactly_zero() -> None:
    palette = build(np.zeros((100, 15, 3), np.float32), 64)

    assert len(palette.centroids) == 1
    assert not palette.decoded().any()


def test_most_popular_entries_come_first() -> None:
    labels = build(coefficients(3000), 64).labels

    popularity = np.bincount(labels)

    assert (np.diff(popularity) <= 0).all()
    assert popularity.min() > 0


def test_large_scenes_are_fitted_on_a_sample_and_labelled_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIT_ROWS", 200)
    shN = coefficients(1000)

    palette = build(shN, 64)

    assert len(palette.labels) == 1000
    assert squared_errors(palette, shN).mean() < np.square(shN).sum(axis=(1, 2)).mean()


@pytest.mark.parametrize(("terms", "degree"), [(3, 1), (8, 2), (15, 3)])
def test_degree_follows_from_the_coefficients(terms: int, degree: int) -> None:
    assert build(coefficients(10, terms), 4).degree == degree


def test_progress_ends_complete() -> None:
    seen: list[tuple[int, int]] = []

    build_palette(
        coefficients(50),
        np.ones(50, np.float32),
        entries=8,
        iterations=2,
        seed=0,
        threads=1,
        progress=lambda done, total: seen.append((done, total)),
    )

    assert seen == [(1, 3), (2, 3), (3, 3)]
