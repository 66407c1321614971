from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid
from splatworks_trainer.views import Photos, split_held_out
from tests.unit.trainer.colmap_files import write_photo


def camera(name: str = "a.jpg", width: int = 200, height: int = 100) -> Camera:
    return Camera(name, np.eye(4), 150.0, 160.0, width / 2, height / 2, width, height)


def gradient(width: int = 200, height: int = 100) -> np.ndarray:
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (height, width, 3)))


def test_a_photo_is_reduced_to_the_longest_side_with_its_camera(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())

    reduced, photo = Photos(tmp_path, [camera()], max_side=50).at(0)

    assert photo.shape == (25, 50, 3)
    assert photo.dtype == np.uint8
    assert (reduced.width, reduced.height) == (50, 25)
    assert (reduced.fx, reduced.fy, reduced.cx, reduced.cy) == (37.5, 40.0, 25.0, 12.5)


def test_a_small_photo_is_never_enlarged(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())

    _, photo = Photos(tmp_path, [camera()], max_side=1000).at(0)

    np.testing.assert_array_equal(photo, gradient())


def test_a_level_averages_the_pixels_it_covers(tmp_path: Path) -> None:
    checker = np.indices((100, 200)).sum(axis=0) % 2 * 200
    write_photo(tmp_path / "a.jpg", np.repeat(checker[:, :, None], 3, axis=2).astype(np.uint8))

    _, photo = Photos(tmp_path, [camera()], max_side=200).at(0, 0.5)

    np.testing.assert_array_equal(photo, np.full((50, 100, 3), 100))


def test_a_level_with_an_odd_size_scales_each_axis_by_what_it_became(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient(101, 67))
    full = Camera("a.jpg", np.eye(4), 150.0, 160.0, 50.0, 33.0, 101, 67)

    reduced, photo = Photos(tmp_path, [full], max_side=101).at(0, 0.5)

    assert photo.shape[:2] == (reduced.height, reduced.width)
    assert reduced.cx == pytest.approx(50.0 * reduced.width / 101)
    assert reduced.fy == pytest.approx(160.0 * reduced.height / 67)


def test_a_level_never_gets_too_small_to_compare(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())

    _, photo = Photos(tmp_path, [camera()], max_side=64).at(0, 0.125)

    assert photo.shape[:2] == (16, 32)


def test_photos_in_the_cache_are_not_read_again(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())
    photos = Photos(tmp_path, [camera()], max_side=100)
    _, first = photos.at(0)
    (tmp_path / "a.jpg").unlink()

    _, second = photos.at(0)

    assert second is first


def test_photos_beyond_the_memory_limit_are_read_again(tmp_path: Path) -> None:
    names = ["a.jpg", "b.jpg", "c.jpg"]
    for name in names:
        write_photo(tmp_path / name, gradient())
    one_photo = 100 * 50 * 3
    photos = Photos(tmp_path, [camera(name) for name in names], max_side=100, cache_bytes=2 * one_photo)

    first = [photos.at(i)[1] for i in range(3)]
    second = [photos.at(i)[1] for i in range(3)]

    assert [a is b for a, b in zip(first, second, strict=True)] == [True, True, False]
    np.testing.assert_array_equal(first[2], second[2])


def test_smaller_levels_make_room_in_the_cache_for_larger_ones(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())
    write_photo(tmp_path / "b.jpg", gradient())
    one_photo = 100 * 50 * 3
    photos = Photos(tmp_path, [camera("a.jpg"), camera("b.jpg")], max_side=100, cache_bytes=2 * one_photo)
    photos.at(0, 0.5)

    first = photos.at(1)[1]

    assert photos.at(1)[1] is first


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (None, "photo a.jpg .* not among"),
        (gradient(100, 200), r"a.jpg is 100 x 200 pixels, but its camera 200 x 100"),
    ],
)
def test_a_photo_that_does_not_fit_its_camera_is_named(
    tmp_path: Path, pixels: np.ndarray | None, message: str
) -> None:
    if pixels is not None:
        write_photo(tmp_path / "a.jpg", pixels)

    with pytest.raises(InputInvalid, match=message):
        Photos(tmp_path, [camera()], max_side=100).at(0)


def test_a_broken_photo_is_named(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])

    with pytest.raises(InputInvalid, match=r"photo a.jpg can not be decoded"):
        Photos(tmp_path, [camera()], max_side=100).at(0)


@pytest.mark.parametrize(
    ("photos", "every", "expected"),
    [
        (20, 8, [0, 8, 16]),
        (5, 8, [0]),
        (4, 8, [0]),
        (3, 8, []),
        (20, 0, []),
    ],
)
def test_every_so_many_photos_are_held_out(photos: int, every: int, expected: list[int]) -> None:
    cameras = split_held_out([camera(f"{i:02}.jpg") for i in range(photos)], every)

    assert [i for i, each in enumerate(cameras) if each.held_out] == expected
