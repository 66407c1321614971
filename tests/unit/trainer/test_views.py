from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid
from splatworks_trainer.views import Photos, in_picture
from tests.unit.trainer.colmap_files import write_photo


def camera(name: str = "a.jpg", width: int = 200, height: int = 100) -> Camera:
    return Camera(name, np.eye(4), 150.0, 160.0, width / 2, height / 2, width, height)


def gradient(width: int = 200, height: int = 100) -> np.ndarray:
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (height, width, 3)))


def test_a_photo_is_reduced_to_the_longest_side_with_its_camera(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())

    view = Photos(tmp_path, [camera()], max_side=50).at(0)

    reduced = view.camera
    assert view.photo.shape == (25, 50, 3)
    assert view.photo.dtype == np.uint8
    assert (reduced.width, reduced.height) == (50, 25)
    assert (reduced.fx, reduced.fy, reduced.cx, reduced.cy) == (37.5, 40.0, 25.0, 12.5)


def test_a_large_jpeg_is_reduced_as_if_it_had_been_decoded_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    width, height = 1213, 807
    smooth = Image.fromarray(rng.integers(0, 256, (27, 40, 3), np.uint8)).resize((width, height))
    smooth.save(tmp_path / "a.jpg", quality=95)
    photos = Photos(tmp_path, [camera(width=width, height=height)], max_side=120)

    view = photos.at(0)

    with Image.open(tmp_path / "a.jpg") as image:
        whole = np.asarray(image.resize((120, 80), Image.Resampling.LANCZOS))
    assert view.photo.shape == whole.shape
    assert np.abs(view.photo.astype(int) - whole).mean() < 0.6


def test_a_small_photo_is_never_enlarged(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())

    view = Photos(tmp_path, [camera()], max_side=1000).at(0)

    np.testing.assert_array_equal(view.photo, gradient())


def test_a_level_averages_the_pixels_it_covers(tmp_path: Path) -> None:
    checker = np.indices((100, 200)).sum(axis=0) % 2 * 200
    write_photo(tmp_path / "a.jpg", np.repeat(checker[:, :, None], 3, axis=2).astype(np.uint8))

    view = Photos(tmp_path, [camera()], max_side=200).at(0, 0.5)

    np.testing.assert_array_equal(view.photo, np.full((50, 100, 3), 100))


def test_a_level_with_an_odd_size_scales_each_axis_by_what_it_became(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient(101, 67))
    full = Camera("a.jpg", np.eye(4), 150.0, 160.0, 50.0, 33.0, 101, 67)

    view = Photos(tmp_path, [full], max_side=101).at(0, 0.5)

    reduced = view.camera
    assert view.photo.shape[:2] == (reduced.height, reduced.width)
    assert reduced.cx == pytest.approx(50.0 * reduced.width / 101)
    assert reduced.fy == pytest.approx(160.0 * reduced.height / 67)


def test_a_level_never_gets_too_small_to_compare(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())

    view = Photos(tmp_path, [camera()], max_side=64).at(0, 0.125)

    assert view.photo.shape[:2] == (16, 32)


def test_photos_in_the_cache_are_not_read_again(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())
    photos = Photos(tmp_path, [camera()], max_side=100)
    first = photos.at(0)
    (tmp_path / "a.jpg").unlink()

    assert photos.at(0) is first


def test_photos_beyond_the_memory_limit_are_read_again(tmp_path: Path) -> None:
    names = ["a.jpg", "b.jpg", "c.jpg"]
    for name in names:
        write_photo(tmp_path / name, gradient())
    one_photo = 100 * 50 * 3
    photos = Photos(tmp_path, [camera(name) for name in names], max_side=100, cache_bytes=2 * one_photo)

    first = [photos.at(i) for i in range(3)]
    second = [photos.at(i) for i in range(3)]

    assert [a is b for a, b in zip(first, second, strict=True)] == [True, True, False]
    np.testing.assert_array_equal(first[2].photo, second[2].photo)


def test_where_memory_is_short_the_size_in_use_takes_the_place_of_the_full_one(tmp_path: Path) -> None:
    names = [f"{i}.jpg" for i in range(8)]
    for name in names:
        write_photo(tmp_path / name, gradient())
    two_photos = 2 * 100 * 50 * 3
    photos = Photos(tmp_path, [camera(name) for name in names], max_side=100, cache_bytes=two_photos)
    for i in range(8):
        photos.at(i)

    coarse = [photos.at(i, 0.5) for i in range(8)]
    again = [photos.at(i, 0.5) for i in range(8)]

    assert all(a is b for a, b in zip(coarse, again, strict=True))


def test_many_photos_of_different_sizes_come_back_right_and_within_the_memory_limit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    originals = [rng.integers(0, 256, (40 + i % 7, 60 - i % 5, 3), np.uint8) for i in range(60)]
    cameras = [camera(f"{i}.jpg", pixels.shape[1], pixels.shape[0]) for i, pixels in enumerate(originals)]
    for each, pixels in zip(cameras, originals, strict=True):
        write_photo(tmp_path / each.name, pixels)
    limit = 10 * 60 * 40 * 3
    limited = Photos(tmp_path, cameras, max_side=64, cache_bytes=limit)
    unlimited = Photos(tmp_path, cameras, max_side=64)

    for size in (1.0, 0.6, 0.8, 1.0):
        for index in rng.permutation(60):
            view = limited.at(index, size)
            np.testing.assert_array_equal(view.photo, unlimited.at(index, size).photo)
            assert view.photo.shape[:2] == (view.camera.height, view.camera.width)
            assert 0 < limited.cached_bytes <= limit


def test_a_level_of_a_narrow_photo_that_keeps_its_width_is_still_another_one(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient(4, 200))
    photos = Photos(tmp_path, [camera(width=4, height=200)], max_side=200)

    assert [photos.at(0, size).photo.shape for size in (1.0, 0.9)] == [(200, 4, 3), (180, 4, 3)]


def test_in_the_picture_is_what_lies_ahead_and_within_its_borders() -> None:
    centre, behind, beside = (0.0, 0.0, 2.0), (0.0, 0.0, -2.0), (5.0, 0.0, 2.0)

    pixels, depths, which = in_picture(np.array([behind, centre, beside]), camera())

    assert which.tolist() == [1]
    np.testing.assert_allclose(pixels, [[100, 50]])
    np.testing.assert_allclose(depths, [2])


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


def test_a_mask_comes_with_its_photo_at_every_size(tmp_path: Path) -> None:
    write_photo(tmp_path / "images/a.jpg", gradient())
    write_photo(tmp_path / "images/b.jpg", gradient())
    levels = np.full((100, 200), 255, np.uint8)
    levels[:, :40] = 0
    write_photo(tmp_path / "masks/a.jpg.png", levels)
    photos = Photos(
        tmp_path / "images", [camera("a.jpg"), camera("b.jpg")], max_side=100, masks=tmp_path / "masks"
    )

    for size, width in ((1.0, 100), (0.5, 50)):
        mask = photos.at(0, size).mask
        assert mask is not None
        np.testing.assert_array_equal(mask, np.tile(np.arange(width) >= width // 5, (width // 2, 1)))
        assert photos.at(1, size).mask is None


def test_masks_count_in_the_memory_they_use(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", gradient())
    levels = np.full((100, 200), 255, np.uint8)
    levels[0, 0] = 0
    write_photo(tmp_path / "a.jpg.png", levels)
    photos = Photos(tmp_path, [camera()], max_side=200, masks=tmp_path)

    photos.at(0)

    assert photos.cached_bytes == 100 * 200 * 4


def test_loading_counts_every_photo_off_and_keeps_what_there_is_room_for(tmp_path: Path) -> None:
    cameras = [Camera(f"{i}.png", np.eye(4), 30.0, 30.0, 16.0, 16.0, 32, 32) for i in range(5)]
    for number, camera in enumerate(cameras):
        write_photo(tmp_path / camera.name, np.full((32, 32, 3), 40 * number, np.uint8))
    photos = Photos(tmp_path, cameras, max_side=32, cache_bytes=3 * 32 * 32 * 3)

    counted = list(photos.load(threads=2))

    assert counted == [1, 2, 3, 4, 5]
    assert photos.cached_bytes == 3 * 32 * 32 * 3
    assert [int(photos.at(i).photo[0, 0, 0]) for i in range(5)] == [0, 40, 80, 120, 160]


def test_loading_ends_at_a_photo_that_is_not_there(tmp_path: Path) -> None:
    cameras = [Camera(f"{i}.png", np.eye(4), 30.0, 30.0, 16.0, 16.0, 32, 32) for i in range(2)]
    write_photo(tmp_path / "0.png", np.zeros((32, 32, 3), np.uint8))

    with pytest.raises(InputInvalid, match=r"1\.png"):
        list(Photos(tmp_path, cameras, max_side=32).load(threads=2))
