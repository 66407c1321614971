"""Masks all the way: no feature comes from what is ignored, and undistorted masks fit undistorted photos.

Each photo of a capture with a distorting lens gets a purple checkerboard, a thing that moves with the camera,
and a mask of just that. Nothing else has as little green, so what is ignored in the end can be compared with
what was painted.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from splatworks_sfm.pycolmap_import import pycolmap
from tests.integration.sfm.conftest import VIEWS, Run, run
from tests.integration.sfm.synthetic import HEIGHT, WIDTH, arc, write_capture

LEFT, TOP, SIDE = 16, 20, 96
"""The checkerboard lies near a corner, where a lens bends most."""
UNMASKED, TRANSPARENT = "view_00.jpg", "view_01.jpg"
"""The first shows the board and has no mask; the second is transparent there."""
SCENE_GREEN = 90
"""The least green of the scene; the board has none."""

Mask = NDArray[np.bool_]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_capture(folder, arc(VIEWS), distortion=-0.15)
    squares = np.indices((SIDE, SIDE)) // 12
    shade = np.where(squares.sum(0) % 2, 250, 130)
    board = Image.fromarray(np.stack([shade, 0 * shade, shade], -1).astype(np.uint8))
    mask = Image.new("L", (WIDTH, HEIGHT), 255)
    mask.paste(0, (LEFT, TOP, LEFT + SIDE, TOP + SIDE))
    (folder / "masks").mkdir()
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as view:
            photo = view.point(lambda level: max(level, SCENE_GREEN))
        photo.paste(board, (LEFT, TOP))
        if path.name == TRANSPARENT:
            photo.putalpha(mask)
            photo.save(path.with_suffix(".png"))
            path.unlink()
            continue
        photo.save(path, quality=95, subsampling=0)
        if path.name != UNMASKED:
            mask.save(folder / "masks" / f"{path.name}.png")
    return folder


@pytest.fixture(scope="module")
def masked(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(photos, tmp_path_factory.mktemp("masked"))


def keypoints_on_the_board(result: Run) -> dict[str, int]:
    """How many features each photo has there."""
    counts = {}
    with pycolmap.Database.open(result.output.parent / "scratch/database.db") as database:
        for image in database.read_all_images():
            x, y = database.read_keypoints(image.image_id)[:, :2].T
            inside = (x >= LEFT) & (x < LEFT + SIDE) & (y >= TOP) & (y < TOP + SIDE)
            counts[image.name] = int(inside.sum())
    return counts


def ignored(result: Run, name: str) -> Mask:
    with Image.open(result.output / "dense/masks" / f"{name}.png") as mask:
        assert (mask.format, mask.mode) == ("PNG", "L")
        values = np.asarray(mask)
    assert set(np.unique(values)) == {0, 255}
    return ~values.astype(bool)


def painted(result: Run, name: str) -> Mask:
    """Where the undistorted photo shows more of the board than of the scene."""
    with Image.open(result.output / "dense/images" / name) as photo:
        green: NDArray[np.uint8] = np.asarray(photo.getchannel("G"))
    return green < SCENE_GREEN // 2


def grown(mask: Mask, pixels: int) -> Mask:
    image = Image.fromarray(mask.astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * pixels + 1)), bool)


def test_every_photo_is_placed_and_the_masked_ones_are_counted(masked: Run) -> None:
    report = json.loads((masked.output / "report.json").read_text())

    assert masked.report.registered == VIEWS
    assert report["masked"] == VIEWS - 1
    assert {photo["name"] for photo in report["photos"] if not photo["masked"]} == {UNMASKED}
    assert report["photos_in"] == VIEWS


def test_no_feature_comes_from_what_is_ignored(masked: Run) -> None:
    found = keypoints_on_the_board(masked)

    assert found.pop(UNMASKED) > 20
    assert set(found.values()) == {0}


def test_masks_lie_beside_undistorted_photos_of_the_same_size(masked: Run) -> None:
    dense = masked.output / "dense"
    names = {image.name for image in pycolmap.Reconstruction(dense / "sparse").images.values()}

    assert {path.name for path in (dense / "masks").iterdir()} == {f"{n}.png" for n in names - {UNMASKED}}
    for name in names - {UNMASKED}:
        with Image.open(dense / "images" / name) as photo:
            assert ignored(masked, name).shape == (photo.height, photo.width)


@pytest.mark.parametrize("name", [TRANSPARENT, "view_02.jpg", f"view_{VIEWS - 1:02d}.jpg"])
def test_what_is_ignored_is_what_was_painted_and_no_more(masked: Run, name: str) -> None:
    out = ignored(masked, name)
    board = painted(masked, name)

    assert board.sum() > 0.9 * SIDE**2
    assert not (board & ~out).any()
    assert not (out & ~grown(board, 1)).any()


def test_a_lens_that_bends_has_bent_the_masks_edge(masked: Run) -> None:
    out = ignored(masked, "view_02.jpg")
    columns = np.flatnonzero(out.any(0))
    top_edge = out.argmax(0)[columns[2:-2]]

    assert np.ptp(top_edge) >= 2
