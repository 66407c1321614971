"""Cameras: the file survives a round trip, resizing keeps the view."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.artifacts.uri import check_keys
from splatworks_common.cameras import Camera, preview_name, read_cameras, write_cameras
from splatworks_common.reasons import InputInvalid


def make_camera(name: str = "a.jpg", *, held_out: bool = False) -> Camera:
    viewmat = np.eye(4)
    viewmat[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    viewmat[:3, 3] = [1, 2, 3]
    return Camera(
        name=name, viewmat=viewmat, fx=500, fy=510, cx=320, cy=240, width=640, height=480, held_out=held_out
    )


def test_cameras_survive_the_file(tmp_path: Path) -> None:
    cameras = [make_camera(), make_camera("b.jpg", held_out=True)]

    write_cameras(tmp_path / "cameras.json", cameras)
    back = read_cameras(tmp_path / "cameras.json")

    for found, wanted in zip(back, cameras, strict=True):
        np.testing.assert_array_equal(found.viewmat, wanted.viewmat)
        assert {**found.__dict__, "viewmat": None} == {**wanted.__dict__, "viewmat": None}


def test_the_position_is_mapped_to_the_camera_origin() -> None:
    camera = make_camera()

    np.testing.assert_allclose(camera.viewmat @ [*camera.position, 1], [0, 0, 0, 1], atol=1e-12)


def test_resizing_keeps_the_ray_through_each_relative_pixel() -> None:
    camera = make_camera()

    half = camera.resized(320, 120)

    assert (half.width, half.height) == (320, 120)
    assert (half.cx / half.fx, half.cy / half.fy) == (camera.cx / camera.fx, camera.cy / camera.fy)
    assert ((320 - half.cx) / half.fx, (120 - half.cy) / half.fy) == ((640 - 320) / 500, (480 - 240) / 510)


@pytest.mark.parametrize(
    ("point", "pixel", "depth"),
    [((-2, 1, 7), (320, 240), 10), ((-2, 0, 7), (320 + 50, 240), 10), ((-1, 1, 7), (320, 240 + 51), 10)],
)
def test_points_are_projected_along_the_camera_axes(
    point: tuple[float, ...], pixel: tuple[float, ...], depth: float
) -> None:
    pixels, depths = make_camera().project(np.array([point], np.float64))

    np.testing.assert_allclose(depths, [depth])
    np.testing.assert_allclose(pixels, [pixel])


def test_points_beside_and_behind_the_camera_are_told_by_their_depth() -> None:
    _, depths = make_camera().project(np.array([[0, 0, -3], [5, 5, -4]], np.float64))

    assert depths.tolist() == [0, -1]


@given(st.sets(st.text(max_size=20), max_size=20) | st.sets(st.text("a.jpg2ef/_", max_size=9), max_size=20))
def test_previews_of_different_photos_have_different_portable_names(names: set[str]) -> None:
    previews = [preview_name(name) for name in names]

    check_keys(previews)
    assert all(preview.endswith(".jpg") and "/" not in preview for preview in previews)


def test_a_plain_photo_and_its_preview_have_the_same_name() -> None:
    assert preview_name("IMG_0001-2.jpg") == "IMG_0001-2.jpg"


GOOD = {**make_camera().__dict__, "viewmat": np.eye(4).tolist()}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"cameras": [{"name": "a.jpg"}]}),
        json.dumps({"cameras": [{**GOOD, "surprise": 1}]}),
        json.dumps({"cameras": [{**GOOD, "viewmat": [[1, 0], [0, 1]]}]}),
        json.dumps({"cameras": [{**GOOD, "viewmat": [[float("nan")] * 4] * 4}]}),
    ],
    ids=range(7),
)
def test_a_file_that_is_no_list_of_cameras_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "cameras.json").write_text(text)

    with pytest.raises(InputInvalid, match=r"cameras\.json"):
        read_cameras(tmp_path / "cameras.json")
