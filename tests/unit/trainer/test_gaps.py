from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_trainer.gaps import points_in_gaps
from splatworks_trainer.views import Photos
from tests.unit.trainer.colmap_files import write_photo

SIDE = 320
LEFT_RED_RIGHT_BLUE = np.zeros((SIDE, SIDE, 3), np.uint8)
LEFT_RED_RIGHT_BLUE[:, : SIDE // 2, 0] = 200
LEFT_RED_RIGHT_BLUE[:, SIDE // 2 :, 2] = 200


def camera(name: str = "a.jpg", *, held_out: bool = False) -> Camera:
    """At the origin, looking along +z; it sees -1..1 at depth 1."""
    return Camera(name, np.eye(4), SIDE / 2, SIDE / 2, SIDE / 2, SIDE / 2, SIDE, SIDE, held_out)


def wall(depth: float, left: float, right: float) -> NDArray[np.float64]:
    """A dense wall of points that fills the picture from ``left`` to ``right`` (-1..1)."""
    x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(-1, 1, 200))
    return np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1) * depth


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    write_photo(tmp_path / "a.jpg", LEFT_RED_RIGHT_BLUE)
    return Photos(tmp_path, [camera()], max_side=SIDE)


def added(points: NDArray[np.float64], photos: Photos) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    colors = np.zeros((len(points), 3), np.uint8)
    all_points, all_colors = points_in_gaps(points, colors, photos)
    np.testing.assert_array_equal(all_points[: len(points)], points)
    return all_points[len(points) :], all_colors[len(points) :]


def test_a_picture_full_of_points_gets_none(photos: Photos) -> None:
    new, _ = added(wall(4, -1, 1), photos)

    assert len(new) == 0


def test_an_empty_half_is_filled_cell_by_cell_at_the_depth_of_the_other(photos: Photos) -> None:
    new, _ = added(wall(4, -1, 0), photos)

    assert len(new) == pytest.approx(32 * 16, abs=32)
    np.testing.assert_allclose(new[:, 2], 4)
    assert (new[:, 0] > 0).all()


def test_new_points_have_the_colour_of_the_photo(photos: Photos) -> None:
    _, colors = added(wall(4, -1, 0), photos)

    np.testing.assert_array_equal(np.unique(colors, axis=0), [[0, 0, 200]])


def test_what_one_photo_filled_another_does_not_fill_again(tmp_path: Path, photos: Photos) -> None:
    write_photo(tmp_path / "b.jpg", LEFT_RED_RIGHT_BLUE)
    twice = Photos(tmp_path, [camera("a.jpg"), camera("b.jpg")], max_side=SIDE)

    once, again = added(wall(4, -1, 0), photos)[0], added(wall(4, -1, 0), twice)[0]

    np.testing.assert_array_equal(once, again)


def test_a_guess_that_hides_another_colour_in_another_photo_is_dropped(
    tmp_path: Path, photos: Photos
) -> None:
    write_photo(tmp_path / "b.jpg", np.full_like(LEFT_RED_RIGHT_BLUE, 100))
    contradicted = Photos(tmp_path, [camera("a.jpg"), camera("b.jpg")], max_side=SIDE)

    new, _ = added(wall(4, -1, 0), contradicted)

    assert len(new) == 0


def test_held_out_photos_are_not_looked_at(tmp_path: Path, photos: Photos) -> None:
    held_out = Photos(tmp_path, [camera(held_out=True)], max_side=SIDE)

    new, _ = added(wall(4, -1, 0), held_out)

    assert len(new) == 0


def test_a_photo_without_any_point_is_left_alone(photos: Photos) -> None:
    behind = -wall(4, -1, 0)

    new, _ = added(behind, photos)

    assert len(new) == 0


@pytest.mark.parametrize("count", [1, 2])
def test_a_single_point_is_enough_to_guess_from(photos: Photos, count: int) -> None:
    new, _ = added(wall(4, -1, 0)[:count], photos)

    assert len(new) > 900
    assert np.isfinite(new).all()


def test_cameras_in_any_pose_put_points_on_their_own_rays(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", LEFT_RED_RIGHT_BLUE)
    turned = np.eye(4)
    turned[:3, :3] = [[0, 0, -1], [0, 1, 0], [1, 0, 0]]
    turned[:3, 3] = (0.5, 0.0, 1.0)
    photos = Photos(tmp_path, [replace(camera(), viewmat=turned)], max_side=SIDE)
    seen = (wall(4, -1, 0) - turned[:3, 3]) @ turned[:3, :3]

    new, _ = added(seen, photos)

    local = new @ turned[:3, :3].T + turned[:3, 3]
    np.testing.assert_allclose(local[:, 2], 4)
    assert (local[:, 0] > 0).all()


def test_what_a_mask_ignores_is_not_filled(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", LEFT_RED_RIGHT_BLUE)
    levels = np.full((SIDE, SIDE), 255, np.uint8)
    levels[:, SIDE // 2 :] = 0
    write_photo(tmp_path / "masks/a.jpg.png", levels)
    photos = Photos(tmp_path, [camera()], max_side=SIDE, masks=tmp_path / "masks")

    positions, _ = added(wall(2.0, -1, -0.5), photos)

    assert len(positions) > 0
    assert positions[:, 0].max() < 0


def test_a_guess_that_lands_where_another_photo_is_ignored_is_not_contradicted_by_it(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", LEFT_RED_RIGHT_BLUE)
    write_photo(tmp_path / "b.jpg", 255 - LEFT_RED_RIGHT_BLUE)
    levels = np.zeros((SIDE, SIDE), np.uint8)
    levels[0, 0] = 255
    write_photo(tmp_path / "masks/b.jpg.png", levels)
    cameras = [camera("a.jpg"), camera("b.jpg")]
    photos = Photos(tmp_path, cameras, max_side=SIDE, masks=tmp_path / "masks")

    positions, _ = added(wall(2.0, -1, -0.5), photos)

    assert len(positions) > 100
