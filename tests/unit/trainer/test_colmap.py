from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_trainer.colmap import read_model
from tests.unit.trainer.colmap_files import (
    CameraRow,
    ImageRow,
    PointRow,
    cameras_bin,
    images_bin,
    points_bin,
    write_model,
)

FILES = ("cameras.bin", "images.bin", "points3D.bin")
NAN = float("nan")
ONE_IMAGE = images_bin([ImageRow("a.jpg")])[8:]
TWICE_THE_SAME_ID = struct.pack("<Q", 2) + ONE_IMAGE + ONE_IMAGE.replace(b"a.jpg", b"b.jpg")
ENDLESS_TRACK = points_bin([PointRow(track=())])[:-8] + struct.pack("<Q", 2**64 - 1)


def test_reads_intrinsics_pose_and_points(tmp_path: Path) -> None:
    turn_about_z = (np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5))
    write_model(
        tmp_path,
        cameras=[CameraRow(7, parameters=(51.0, 52.0, 19.5, 14.5))],
        images=[ImageRow("a.jpg", quat=turn_about_z, translation=(1.0, 2.0, 3.0), camera_id=7)],
        points=[PointRow((1.0, 2.0, 3.0), (9, 8, 7)), PointRow((4.0, 5.0, 6.0), (1, 2, 3), track=(1,) * 5)],
    )

    model = read_model(tmp_path)

    camera = model.cameras[0]
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (51.0, 52.0, 19.5, 14.5)
    assert (camera.name, camera.width, camera.height) == ("a.jpg", 40, 30)
    np.testing.assert_allclose(
        camera.viewmat, [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]], atol=1e-12
    )
    np.testing.assert_array_equal(model.points, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(model.colors, [[9, 8, 7], [1, 2, 3]])


def test_simple_pinhole_has_one_focal_length(tmp_path: Path) -> None:
    write_model(tmp_path, cameras=[CameraRow(model=0, parameters=(60.0, 20.0, 15.0))])

    camera = read_model(tmp_path).cameras[0]

    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (60.0, 60.0, 20.0, 15.0)


def test_images_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_model(tmp_path, images=[ImageRow("c.jpg"), ImageRow("a.jpg"), ImageRow("b.jpg")])

    assert [camera.name for camera in read_model(tmp_path).cameras] == ["a.jpg", "b.jpg", "c.jpg"]


def test_observations_say_which_photo_shows_which_point_by_the_order_of_names(tmp_path: Path) -> None:
    write_model(
        tmp_path,
        images=[ImageRow("c.jpg"), ImageRow("a.jpg"), ImageRow("b.jpg")],
        points=[PointRow(track=(1, 2)), PointRow(track=()), PointRow(track=(3,))],
    )

    observations = read_model(tmp_path).observations

    np.testing.assert_array_equal(observations, [[0, 0], [0, 2], [2, 1]])
    assert observations.dtype == np.int32


def test_a_photo_that_a_track_lists_twice_is_one_observation(tmp_path: Path) -> None:
    write_model(
        tmp_path, images=[ImageRow("a.jpg"), ImageRow("b.jpg")], points=[PointRow(track=(2, 1, 2, 1))]
    )

    np.testing.assert_array_equal(read_model(tmp_path).observations, [[0, 0], [0, 1]])


def test_points_that_no_photo_shows_are_no_observations(tmp_path: Path) -> None:
    write_model(tmp_path, points=[PointRow(track=())])

    assert read_model(tmp_path).observations.shape == (0, 2)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write_model(tmp_path) / name).unlink()

    with pytest.raises(InputNotFound, match=name):
        read_model(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_bytes_after_the_last_record_are_refused(tmp_path: Path, name: str) -> None:
    path = write_model(tmp_path) / name
    path.write_bytes(path.read_bytes() + b"\0\0\0")

    with pytest.raises(InputInvalid, match=f"{name} has 3 bytes after"):
        read_model(tmp_path)


@given(name=st.sampled_from(FILES), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, share: float
) -> None:
    path = write_model(tmp_path_factory.mktemp("model")) / name
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])

    with pytest.raises(InputInvalid, match=f"{name} is cut short"):
        read_model(path.parent)


@pytest.mark.parametrize("name", FILES)
def test_a_count_that_the_file_can_not_hold_is_refused(tmp_path: Path, name: str) -> None:
    path = write_model(tmp_path) / name
    path.write_bytes(struct.pack("<Q", 2**62) + path.read_bytes()[8:])

    with pytest.raises(InputInvalid, match=f"{name} is cut short"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            cameras_bin([CameraRow(model=4, parameters=(1.0,) * 8)]),
            "COLMAP model 4; only undistorted PINHOLE",
        ),
        (cameras_bin([CameraRow(parameters=(NAN, 50.0, 20.0, 15.0))]), "no finite positive focal length"),
        (cameras_bin([CameraRow(parameters=(50.0, 0.0, 20.0, 15.0))]), "no finite positive focal length"),
        (cameras_bin([CameraRow(width=0)]), "impossible size 0 x 30"),
        (cameras_bin([CameraRow(width=2**40)]), "impossible size"),
        (cameras_bin([]), "names camera 1, which cameras.bin does not have"),
    ],
)
def test_cameras_that_can_not_be_trained_on_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (write_model(tmp_path) / "cameras.bin").write_bytes(content)

    with pytest.raises(InputInvalid, match=message):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (images_bin([]), "no registered images"),
        (images_bin([ImageRow("a.jpg", quat=(NAN, 0.0, 0.0, 0.0))]), "image a.jpg has no finite pose"),
        (images_bin([ImageRow("a.jpg", quat=(0.0, 0.0, 0.0, 0.0))]), "image a.jpg has no finite pose"),
        (images_bin([ImageRow("a.jpg", translation=(0.0, NAN, 0.0))]), "image a.jpg has no finite pose"),
        (images_bin([ImageRow("a.jpg"), ImageRow("a.jpg")]), "two images are called a.jpg"),
        (images_bin([ImageRow("../a.jpg")]), "does not stay inside"),
        (images_bin([ImageRow("/a.jpg")]), "does not stay inside"),
        (images_bin([ImageRow("")]), "does not stay inside"),
        (images_bin([ImageRow("a.jpg")]).replace(b"a.jpg", b"\xff.jpg"), "not UTF-8"),
        (TWICE_THE_SAME_ID, "two images have the id 1"),
    ],
)
def test_images_that_can_not_be_trained_on_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (write_model(tmp_path) / "images.bin").write_bytes(content)

    with pytest.raises(InputInvalid, match=message):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (points_bin([]), "has no points"),
        (points_bin([PointRow(), PointRow((NAN, 0.0, 0.0))]), "1 of 2 points are not finite"),
        (points_bin([PointRow(track=(1, 7))]), "seen in image 7, which images.bin does not have"),
        (points_bin([PointRow(track=(-1,))]), "seen in image -1, which"),
        (ENDLESS_TRACK, "points3D.bin is cut short"),
    ],
)
def test_points_that_can_not_be_trained_on_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (write_model(tmp_path) / "points3D.bin").write_bytes(content)

    with pytest.raises(InputInvalid, match=message):
        read_model(tmp_path)
