"""Plane sweeping against a plain numpy reference, on every instruction set, and on a scene of known depth."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from splatworks_rasterizer import plane_sweep

RADIUS = 3


def texture(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Grey levels that look like nothing else nearby, but smooth enough to be sampled between pixels."""
    noise = np.random.default_rng(seed).random((height + 2, width + 2)) * 255
    windows = np.lib.stride_tricks.sliding_window_view(noise, (3, 3))
    return np.asarray(windows.mean(axis=(2, 3)), np.float32)


def shifts(*columns: float) -> NDArray[np.float64]:
    """Homographies to one neighbour that look so many columns to the right, ``[P, 1, 3, 3]``."""
    planes = np.zeros((len(columns), 1, 3, 3)) + np.eye(3)
    planes[:, 0, 0, 2] = columns
    return planes


def warped(neighbour: NDArray[np.float32], homography: NDArray[np.float64], shape: tuple[int, int]):
    """The neighbour as the photo would see it; NaN outside."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    u, v, w = np.einsum("ij,jhw->ihw", homography, np.stack([x, y, np.ones_like(x)]))
    column, row = u / w - 0.5, v / w - 0.5
    height, width = neighbour.shape
    outside = (w <= 0) | (column < 0) | (column >= width - 1) | (row < 0) | (row >= height - 1)
    left, top = (np.where(outside, 0, np.floor(value)).astype(int) for value in (column, row))
    along, down = column - left, row - top
    values = neighbour.astype(float)
    upper = values[top, left] * (1 - along) + values[top, left + 1] * along
    lower = values[top + 1, left] * (1 - along) + values[top + 1, left + 1] * along
    return np.where(outside, np.nan, upper * (1 - down) + lower * down)


def correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Over windows; NaN where one hangs over the border or holds a NaN."""
    windows = [
        np.lib.stride_tricks.sliding_window_view(x.astype(float), (2 * RADIUS + 1,) * 2) for x in (a, b)
    ]
    a, b = (w - w.mean(axis=(2, 3), keepdims=True) for w in windows)
    spread = np.sqrt(np.maximum((a**2).mean(axis=(2, 3)) * (b**2).mean(axis=(2, 3)), 1.0))
    return np.pad((a * b).mean(axis=(2, 3)) / spread, RADIUS, constant_values=np.nan)


def reference(photo, neighbours, homographies):
    """Scores of all planes, ``[P, H, W]``."""
    scores = np.array(
        [
            [correlation(photo, warped(n, h, photo.shape)) for n, h in zip(neighbours, plane, strict=True)]
            for plane in homographies
        ]
    )
    best = np.sort(np.where(np.isnan(scores), -1, scores), axis=1)[:, -2:]
    return best.mean(axis=1)


def swept(kernels: ModuleType, photo, neighbours, homographies):
    planes, scores = np.empty_like(photo), np.empty_like(photo)
    kernels.plane_sweep(photo, neighbours, homographies.astype(np.float32), planes, scores)
    return planes, scores


@pytest.mark.parametrize("neighbours", [1, 2, 3])
def test_the_best_score_is_that_of_the_reference(kernels: ModuleType, neighbours: int):
    rng = np.random.default_rng(1)
    photo = texture(70, 45)
    others = [texture(60 + 3 * k, 50 - 2 * k, seed=k + 1) for k in range(neighbours)]
    homographies = np.eye(3) + rng.normal(scale=(0.05, 0.05, 3.0), size=(6, neighbours, 3, 3))
    homographies[:, :, 2] = (1e-4, 2e-4, 1)

    planes, scores = swept(kernels, photo, others, homographies)

    expected = reference(photo, others, homographies)
    np.testing.assert_allclose(scores, expected.max(axis=0), atol=2e-4)
    chosen = np.take_along_axis(expected, np.rint(planes).astype(int)[None], axis=0)[0]
    np.testing.assert_allclose(chosen, expected.max(axis=0), atol=2e-4)


def test_the_plane_that_a_picture_was_moved_by_is_found():
    photo = texture(40, 60)
    neighbour = np.roll(photo, 4, axis=1)

    sweep = plane_sweep(photo, [neighbour], shifts(0, 2, 4, 6))

    inside = np.s_[4:-4, 4:-9]
    np.testing.assert_array_equal(np.rint(sweep.planes[inside]), 2)
    np.testing.assert_allclose(sweep.scores[inside], 1, atol=1e-3)


def test_a_move_between_two_planes_is_found_between_them():
    photo = texture(40, 60)
    neighbour = np.roll(photo, 3, axis=1)

    sweep = plane_sweep(photo, [neighbour], shifts(-0.2, 1.2, 2.6, 4.0))

    assert 2.05 < np.median(sweep.planes[4:-4, 4:-9]) < 2.5


def test_a_plane_that_could_not_be_compared_does_not_move_the_one_beside_it():
    photo = texture(40, 60)
    out_of_the_picture = 200.0

    planes = plane_sweep(photo, [photo], shifts(out_of_the_picture, 0, 1)).planes

    np.testing.assert_array_equal(planes[4:-4, 4:-9], 1)


def test_one_of_two_neighbours_that_can_not_be_compared_counts_as_the_worst():
    photo = texture(30, 30)
    homographies = np.stack([shifts(0.0)[:, 0], shifts(200.0)[:, 0]], axis=1)

    scores = plane_sweep(photo, [photo, photo], homographies).scores

    np.testing.assert_allclose(scores[4:-4, 4:-4], 0, atol=1e-3)


def test_one_neighbour_that_sees_nothing_else_leaves_the_best_two_of_the_others():
    photo = texture(30, 30)
    stranger = texture(30, 30, seed=9)
    homographies = np.zeros((1, 3, 3, 3)) + np.eye(3)

    scores = plane_sweep(photo, [photo, stranger, photo], homographies).scores

    np.testing.assert_allclose(scores[4:-4, 4:-4], 1, atol=1e-3)


def test_a_pixel_without_a_whole_window_has_the_worst_score():
    photo = texture(30, 30)

    scores = plane_sweep(photo, [photo], shifts(0)).scores

    border = np.ones(photo.shape, bool)
    border[RADIUS : -RADIUS - 1, RADIUS : -RADIUS - 1] = False
    assert (scores[border] == -1).all()


@pytest.mark.parametrize("ignored_in", ["photo", "neighbour"])
def test_windows_with_ignored_pixels_are_not_compared(ignored_in: str):
    photo, neighbour = texture(30, 30), texture(30, 30)
    (photo if ignored_in == "photo" else neighbour)[15, 15] = np.nan

    scores = plane_sweep(photo, [neighbour], shifts(0)).scores

    assert (scores[15 - RADIUS : 16 + RADIUS, 15 - RADIUS : 16 + RADIUS] == -1).all()
    assert scores[8, 8] > 0.99


def test_a_flat_surface_scores_nothing():
    flat = np.full((30, 30), 100, np.float32)

    scores = plane_sweep(flat, [flat], shifts(0)).scores

    assert (scores <= 0.01).all()


def test_planes_behind_a_neighbour_score_nothing():
    photo = texture(30, 30)

    scores = plane_sweep(photo, [photo], -shifts(0)).scores

    assert (scores == -1).all()


@pytest.mark.parametrize(
    ("photo", "neighbours", "homographies"),
    [
        (np.zeros((8, 8, 3)), [np.zeros((8, 8))], (1, 1, 3, 3)),
        (np.zeros((8, 8)), [np.zeros((8, 8, 3))], (1, 1, 3, 3)),
        (np.zeros((8, 8)), [np.zeros((8, 8))], (1, 2, 3, 3)),
        (np.zeros((8, 8)), [np.zeros((8, 8))], (1, 3, 3)),
        (np.zeros((8, 8)), [], (1, 0, 3, 3)),
        (np.zeros((8, 8)), [np.zeros((8, 8))], (0, 1, 3, 3)),
        (np.zeros((0, 8)), [np.zeros((8, 8))], (1, 1, 3, 3)),
        (np.zeros((8, 8)), [np.zeros((0, 8))], (1, 1, 3, 3)),
    ],
)
def test_what_does_not_fit_together_is_refused(photo, neighbours, homographies):
    with pytest.raises(ValueError, match=r"needed|must be|to compare"):
        plane_sweep(photo, neighbours, np.zeros(homographies))
