from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid
from splatworks_trainer.masks import read_mask, reduced_mask

WIDTH, HEIGHT = 40, 30
CAMERA = Camera("day 1/a.jpg", np.eye(4), 50.0, 50.0, 20.0, 15.0, WIDTH, HEIGHT)


def write(folder: Path, levels: NDArray[np.uint8], format_: str = "png") -> Path:
    path = folder / "day 1" / "a.jpg.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path, format=format_)
    return path


def left_ignored() -> NDArray[np.uint8]:
    levels = np.full((HEIGHT, WIDTH), 255, np.uint8)
    levels[:, : WIDTH // 4] = 0
    return levels


def test_zero_is_ignored_and_every_other_level_counts(tmp_path: Path) -> None:
    levels = left_ignored()
    levels[3, 20] = 1
    write(tmp_path, levels)

    mask = read_mask(tmp_path, CAMERA)

    assert mask is not None
    np.testing.assert_array_equal(mask, levels > 0)


def test_a_photo_without_a_mask_has_none(tmp_path: Path) -> None:
    assert read_mask(tmp_path / "nothing here", CAMERA) is None


def test_a_mask_that_ignores_nothing_is_none(tmp_path: Path) -> None:
    write(tmp_path, np.full((HEIGHT, WIDTH), 255, np.uint8))

    assert read_mask(tmp_path, CAMERA) is None


def test_a_mask_that_ignores_everything_names_photo_and_remedy(tmp_path: Path) -> None:
    write(tmp_path, np.zeros((HEIGHT, WIDTH), np.uint8))

    with pytest.raises(InputInvalid, match=r"photo day 1/a\.jpg can not be trained on; take the photo or"):
        read_mask(tmp_path, CAMERA)


def test_a_mask_of_another_size_than_its_photo_is_refused(tmp_path: Path) -> None:
    write(tmp_path, left_ignored().T.copy())

    with pytest.raises(InputInvalid, match=r"mask a\.jpg\.png is 30 x 40 pixels, but its photo .* 40 x 30"):
        read_mask(tmp_path, CAMERA)


def test_a_mask_in_another_format_than_png_is_refused(tmp_path: Path) -> None:
    write(tmp_path, left_ignored(), "jpeg")

    with pytest.raises(InputInvalid, match=r"mask a\.jpg\.png can not be decoded as PNG"):
        read_mask(tmp_path, CAMERA)


def test_a_decompression_bomb_is_refused_undecoded(tmp_path: Path) -> None:
    path = write(tmp_path, left_ignored())
    data = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 100_000, 100_000) + data[24:29]
    path.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])

    with pytest.raises(InputInvalid, match=r"mask a\.jpg\.png can not be decoded .* bomb"):
        read_mask(tmp_path, CAMERA)


@given(at=st.integers(8, 10_000), byte=st.integers(0, 255), cut=st.booleans())
def test_a_broken_mask_is_read_or_refused_but_never_anything_else(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: bool
) -> None:
    path = write(tmp_path_factory.mktemp("masks"), left_ignored())
    data = bytearray(path.read_bytes())
    at %= len(data)
    path.write_bytes(data[:at] if cut else data[:at] + bytes([byte]) + data[at + 1 :])

    try:
        mask = read_mask(path.parent.parent, CAMERA)
    except InputInvalid:
        return
    assert mask is None or mask.shape == (HEIGHT, WIDTH)


def test_a_reduced_pixel_counts_only_if_all_it_covers_do() -> None:
    mask = np.ones((4, 6), bool)
    mask[0, 0] = mask[3, 3] = False

    np.testing.assert_array_equal(reduced_mask(mask, 3, 2), [[False, True, True], [True, False, True]])


def test_a_mask_reduced_to_a_size_that_divides_unevenly_still_sees_every_pixel() -> None:
    for row in range(7):
        for column in range(11):
            mask = np.ones((7, 11), bool)
            mask[row, column] = False
            assert np.count_nonzero(~reduced_mask(mask, 4, 3)) == 1


def test_of_a_mask_with_holes_everywhere_something_is_left() -> None:
    mask = np.indices((8, 8)).sum(axis=0) % 2 == 0

    assert reduced_mask(mask, 2, 2).all()
