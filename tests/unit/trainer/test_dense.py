"""Points on surfaces: a textured wall that photos from several places show, of which all is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.progress import Update
from splatworks_trainer.colmap import ColmapModel
from splatworks_trainer.dense import dense_points
from splatworks_trainer.views import Photos, in_picture
from tests.unit.trainer.captures import looking
from tests.unit.trainer.colmap_files import write_photo

LIMIT = 3000
TILT = 0.25
"""The wall is at z = 4 + TILT * x."""


def wall_depth(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 4 + TILT * x


def paint(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The wall's colours: waves of lengths that have no common multiple nearby."""
    waves = [np.sin(a * x + b * y + c) for a, b, c in ((13, 4, 0), (-7, 15, 1), (21, -18, 2), (2.1, 29, 3))]
    grey = 127 + 30 * sum(waves)
    return np.stack([grey, 0.9 * grey, 0.7 * grey], axis=-1).clip(0, 255).astype(np.uint8)


def photographed(camera: Camera) -> NDArray[np.uint8]:
    """What a camera sees of the wall."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    local = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)], axis=-1)
    ray = local @ camera.viewmat[:3, :3]
    origin = camera.position
    along = (4 + TILT * origin[0] - origin[2]) / (ray[..., 2] - TILT * ray[..., 0])
    hit = origin + along[..., None] * ray
    return paint(hit[..., 0], hit[..., 1])


def cameras(count: int) -> list[Camera]:
    spots = np.linspace(-1, 1, count)
    return [looking((x, 0.3 * (i % 2), 0), (0.3 * x, 0, 4), name=f"{i}.png") for i, x in enumerate(spots)]


def wall_model(taken: list[Camera]) -> ColmapModel:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-2, 2, 400), rng.uniform(-1.5, 1.5, 400)
    points = np.stack([x, y, wall_depth(x)], axis=1)
    pairs = [(point, place) for place, camera in enumerate(taken) for point in in_picture(points, camera)[2]]
    return ColmapModel(tuple(taken), points, paint(x, y), np.array(sorted(pairs), np.int32))


def capture(folder: Path, taken: list[Camera], masks: Path | None = None) -> tuple[ColmapModel, Photos]:
    for camera in taken:
        write_photo(folder / camera.name, photographed(camera))
    return wall_model(taken), Photos(folder, taken, max_side=320, masks=masks)


def found(
    folder: Path, taken: list[Camera], **options: Path
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    return dense_points(*capture(folder, taken, **options), limit=LIMIT, threads=2)


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> tuple[ColmapModel, Photos]:
    return capture(tmp_path_factory.mktemp("photos"), cameras(6))


def test_points_lie_on_the_surface(six):
    points, _ = dense_points(*six, limit=LIMIT, threads=2)

    off = np.abs(points[:, 2] - wall_depth(points[:, 0]))
    assert np.median(off) < 0.01
    assert np.quantile(off, 0.95) < 0.05


def test_points_have_the_colour_of_the_surface(six):
    points, colors = dense_points(*six, limit=LIMIT, threads=2)

    wrong = np.abs(colors.astype(int) - paint(points[:, 0], points[:, 1]).astype(int)).max(axis=1)
    assert np.median(wrong) < 12


def test_points_cover_what_several_photos_show_evenly(six):
    points, _ = dense_points(*six, limit=LIMIT, threads=2)

    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=6, range=((-1, 1), (-0.8, 0.8)))
    assert len(points) > 0.9 * LIMIT
    assert counts.min() > 0.5 * counts.mean()


@pytest.mark.parametrize("limit", [0, 1, 100, LIMIT])
def test_there_are_no_more_points_than_the_limit(six, limit: int):
    points, colors = dense_points(*six, limit=limit, threads=1)

    assert min(limit, 1) <= len(points) == len(colors) <= limit


def test_the_points_are_the_same_for_any_number_of_threads(six):
    for one, three in zip(*(dense_points(*six, limit=LIMIT, threads=n) for n in (1, 3)), strict=True):
        np.testing.assert_array_equal(one, three)


def test_what_only_a_held_out_photo_shows_becomes_no_point(tmp_path: Path):
    taken = cameras(6)
    aside = [
        replace(looking((x, 0, 0), (x, 0, 4)), name=f"aside{x}.png", held_out=True) for x in (6.0, 6.5, 7.0)
    ]

    points, _ = found(tmp_path, [*taken, *aside])

    assert points[:, 0].max() < 4


def test_what_masks_ignore_becomes_no_point(tmp_path: Path):
    taken = cameras(6)
    for camera in taken:
        levels = np.full((240, 320), 255, np.uint8)
        levels[:, 160:] = 0
        write_photo(tmp_path / "masks" / f"{camera.name}.png", levels)

    points, _ = found(tmp_path, taken, masks=tmp_path / "masks")

    leftmost = np.min([camera.project(points)[0][:, 0] for camera in taken], axis=0)
    assert len(points) > 100
    assert leftmost.max() <= 160


def test_photos_that_show_another_thing_in_the_same_place_agree_on_nothing(tmp_path: Path):
    taken = cameras(6)
    model, _ = capture(tmp_path, taken)
    for i, camera in enumerate(taken):
        noise = np.random.default_rng(i).integers(0, 256, (240, 320, 3), dtype=np.uint8)
        write_photo(tmp_path / camera.name, noise)

    points, _ = dense_points(model, Photos(tmp_path, taken, max_side=320), limit=LIMIT, threads=2)

    assert len(points) < 0.01 * LIMIT


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_photos_to_agree_give_no_points(tmp_path: Path, count: int):
    points, colors = found(tmp_path, cameras(count))

    assert points.shape == colors.shape == (0, 3)


@pytest.mark.parametrize("apart", [0.0, 0.002])
def test_photos_from_one_spot_give_no_points(tmp_path: Path, apart: float):
    taken = [
        looking((apart * i, 0, 0), (0.1 * i - 0.25, 0.05 * (i % 2), 4), name=f"{i}.png") for i in range(6)
    ]

    points, _ = found(tmp_path, taken)

    assert len(points) == 0


def test_without_a_photo_that_trains_there_are_no_points(tmp_path: Path):
    points, _ = found(tmp_path, [replace(camera, held_out=True) for camera in cameras(3)])

    assert len(points) == 0


def test_progress_counts_the_photos_compared(six):
    updates: list[Update] = []

    dense_points(*six, limit=LIMIT, threads=2, report=updates.append)

    assert [(update.step, update.done, update.total) for update in updates] == [
        ("start", n, 6) for n in range(1, 7)
    ]


def test_photos_without_a_sparse_point_in_common_give_no_points(tmp_path: Path):
    model, photos = capture(tmp_path, cameras(4))
    alone = replace(model, observations=np.array([(i, i) for i in range(4)], np.int32))

    points, _ = dense_points(alone, photos, limit=LIMIT, threads=2)

    assert len(points) == 0
