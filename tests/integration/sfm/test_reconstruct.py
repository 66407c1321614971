import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splatworks_common.progress import silent
from splatworks_common.reasons import InputInvalid, InputNotFound, SfmDiverged, TooFewImages
from splatworks_sfm.config import Matching, SfmOptions
from splatworks_sfm.pycolmap_import import pycolmap
from splatworks_sfm.reconstruct import reconstruct
from splatworks_sfm.steps import STEPS
from tests.integration.sfm.conftest import VIEWS, Run, run
from tests.integration.sfm.synthetic import FOCAL, arc, on_the_spot, write_capture


def contents(output: Path) -> dict[str, bytes]:
    """Every file of a result but the report, which has times in it."""
    files = [path for path in output.rglob("*") if path.is_file() and path.name != "report.json"]
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


def test_every_good_photo_is_placed(reconstructed: Run) -> None:
    assert reconstructed.report.registered == VIEWS
    assert reconstructed.report.unregistered == []
    assert reconstructed.report.components == [VIEWS]


def test_poses_agree_with_the_truth(reconstructed: Run) -> None:
    model = pycolmap.Reconstruction(reconstructed.output / "dense/sparse")
    images = sorted(
        (model.image(image_id) for image_id in model.reg_image_ids()), key=lambda image: image.name
    )
    found = np.array([image.projection_center() for image in images])
    true = np.array([pose.centre for pose in arc(VIEWS)])
    # Umeyama: the similarity that brings the found centres onto the true ones.
    left, scales, right = np.linalg.svd((true - true.mean(0)).T @ (found - found.mean(0)))
    flip = np.diag([1, 1, np.linalg.det(left @ right)])
    turn = left @ flip @ right
    scale = np.trace(flip @ np.diag(scales)) / ((found - found.mean(0)) ** 2).sum()
    moved = scale * (found - found.mean(0)) @ turn.T + true.mean(0)
    extent = np.linalg.norm(np.ptp(true, axis=0))
    turned = [turn @ image.cam_from_world().rotation.matrix().T for image in images]
    cosines = [(np.trace(a.T @ pose.rotation) - 1) / 2 for a, pose in zip(turned, arc(VIEWS), strict=True)]

    assert np.linalg.norm(moved - true, axis=1).max() < 0.005 * extent
    assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 0.5
    # The world is upright: the rotation to the true one is about the vertical axis only.
    assert np.degrees(np.arccos(turn[1, 1])) < 2


def test_undistorted_photos_come_with_a_pinhole_camera_each(reconstructed: Run) -> None:
    model = pycolmap.Reconstruction(reconstructed.output / "dense/sparse")
    photos = sorted(path.name for path in (reconstructed.output / "dense/images").iterdir())

    assert (
        photos
        == sorted(image.name for image in model.images.values())
        == [f"view_{n:02d}.jpg" for n in range(VIEWS)]
    )
    for image in model.images.values():
        camera = model.camera(image.camera_id)
        with Image.open(reconstructed.output / "dense/images" / image.name) as photo:
            assert photo.size == (camera.width, camera.height)
        assert camera.model_name == "PINHOLE"
        assert camera.focal_length_x == pytest.approx(FOCAL, rel=0.02)


def test_the_layout_is_what_the_next_stage_reads(reconstructed: Run) -> None:
    names = {
        path.relative_to(reconstructed.output).as_posix() for path in reconstructed.output.rglob("*.bin")
    }
    binary = {"cameras.bin", "images.bin", "points3D.bin"}

    assert {f"dense/sparse/{name}" for name in binary} == {name for name in names if name.startswith("dense")}
    assert {f"sparse/{name}" for name in binary} <= names


def test_the_report_names_what_was_skipped_and_why(reconstructed: Run) -> None:
    report = json.loads((reconstructed.output / "report.json").read_text())

    assert report["photos_in"] == VIEWS + 1  # notes.txt is not named like a photo
    assert {skip["name"]: skip["reason"].split(" ")[2] for skip in report["skipped"]} == {
        "broken.jpg": "damaged",
        "notes.txt": "not",
    }
    assert {photo["name"]: photo["original"] for photo in report["photos"]}["view_03.jpg"] == "view_03.png"
    assert set(report["steps"]) == set(STEPS)
    assert all(cost["peak_bytes"] > 0 for cost in report["steps"].values())
    assert report["cameras"][0]["photos"] == VIEWS


def test_one_camera_is_used_for_all_photos_of_a_group(reconstructed: Run) -> None:
    assert pycolmap.Reconstruction(reconstructed.output / "sparse").num_cameras() == 1


def test_progress_goes_through_the_steps_and_never_back(reconstructed: Run) -> None:
    updates = reconstructed.updates
    order = list(STEPS)

    assert [step for step in order if step in {update.step for update in updates}] == order
    assert all(order.index(a.step) <= order.index(b.step) for a, b in pairwise(updates))
    assert all(a.done <= b.done for a, b in pairwise(updates) if a.step == b.step)
    assert all(0 <= update.done <= update.total for update in updates)
    last = {update.step: update for update in updates}
    assert all(update.done == update.total for update in last.values())


def test_a_second_run_from_a_zip_with_other_threads_gives_the_same_bytes(
    reconstructed: Run, zipped: Path, tmp_path: Path
) -> None:
    again = run(zipped, tmp_path, threads=1)

    assert contents(again.output) == contents(reconstructed.output)


def test_photos_of_two_sizes_make_two_cameras_and_one_scene(capture: Path, tmp_path: Path) -> None:
    shutil.copytree(capture, tmp_path / "in")
    for number in (1, 4, 6):
        with Image.open(tmp_path / f"in/view_{number:02d}.jpg") as image:
            image.crop((0, 30, 480, 330)).save(tmp_path / f"in/view_{number:02d}.jpg", quality=95)

    result = run(tmp_path / "in", tmp_path / "run", matching=Matching.SEQUENTIAL)

    assert result.report.registered == VIEWS
    assert pycolmap.Reconstruction(result.output / "sparse").num_cameras() == 2
    assert result.report.matching["method"] == "sequential"


def test_photos_without_texture_make_no_scene(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(5):
        Image.new("RGB", (400, 300), (90, 90, 90 + number)).save(tmp_path / f"in/{number}.jpg")

    with pytest.raises(SfmDiverged, match="texture"):
        run(tmp_path / "in", tmp_path / "run")


def test_photos_from_one_place_make_no_scene(tmp_path: Path) -> None:
    write_capture(tmp_path / "in", on_the_spot(6))

    with pytest.raises(SfmDiverged, match="sideways"):
        run(tmp_path / "in", tmp_path / "run")


def test_photos_of_mostly_other_things_make_no_scene(capture: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in (0, 1, 2):
        shutil.copy(capture / f"view_{number:02d}.jpg", tmp_path / "in")
    random = np.random.default_rng(0)
    for number in range(5):
        noise = random.integers(0, 255, (60, 80, 3), np.uint8).repeat(5, 0).repeat(5, 1)
        Image.fromarray(noise).save(tmp_path / f"in/other_{number}.jpg")

    with pytest.raises(SfmDiverged, match="of 8"):
        run(tmp_path / "in", tmp_path / "run")


def test_two_photos_are_too_few(capture: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("view_00.jpg", "view_01.jpg", "broken.jpg"):
        shutil.copy(capture / name, tmp_path / "in")

    with pytest.raises(TooFewImages, match=r"2 usable of 3 files \(broken\.jpg: it is damaged"):
        run(tmp_path / "in", tmp_path / "run")


def test_photos_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="nowhere"):
        reconstruct(tmp_path / "nowhere", tmp_path / "out", SfmOptions(), silent, scratch=tmp_path)


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_text("no")

    with pytest.raises(InputInvalid, match=r"photos\.zip"):
        reconstruct(tmp_path / "photos.zip", tmp_path / "out", SfmOptions(), silent, scratch=tmp_path)


@pytest.mark.timeout(400)
def test_a_drone_capture_is_placed_completely(shared_data: Path, tmp_path: Path) -> None:
    # Features at half size: a third of the time, and the photos still all register.
    result = run(shared_data / "brighton", tmp_path, max_feature_size=1000, max_features=2048)

    assert result.report.registered == 18
    assert result.report.reprojection_error < 1
    assert result.report.photos[0]["exif"]["gps"]["latitude"] > 0  # type: ignore[index]
    assert result.report.cameras[0]["model"] == "FC300S"
