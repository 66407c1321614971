from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_operator.photos import check, pack, scene_slug


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "My Photos"
    (folder / "day 2").mkdir(parents=True)
    (folder / "b.jpg").write_bytes(b"second")
    (folder / "day 2" / "a (1).jpg").write_bytes(b"first")
    (folder / ".DS_Store").write_bytes(b"junk")
    return folder


def test_every_photo_is_packed_under_the_name_its_owner_gave_it(photos, tmp_path):
    pack(photos, tmp_path / "photos.zip", without=[])
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        assert archive.namelist() == ["b.jpg", "day 2/a (1).jpg"]
        assert archive.read("day 2/a (1).jpg") == b"first"


def test_the_same_photos_give_the_same_bytes_whenever_they_were_touched(photos, tmp_path):
    pack(photos, tmp_path / "one.zip", without=[])
    for photo in photos.rglob("*.jpg"):
        photo.touch()
    pack(photos, tmp_path / "two.zip", without=[])
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_link_is_not_followed(photos, tmp_path):
    (photos / "c.jpg").symlink_to(tmp_path)
    (photos / "d.jpg").symlink_to(photos / "b.jpg")
    pack(photos, tmp_path / "photos.zip", without=[])
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        assert archive.namelist() == ["b.jpg", "day 2/a (1).jpg"]


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


def test_what_is_no_photo_is_left_out(photos, tmp_path):
    for name in ("notes.txt", "old.zip", "clip.mp4"):
        (photos / name).write_bytes(b"?")
    pack(photos, tmp_path / "photos.zip", without=[])
    assert names(tmp_path / "photos.zip") == ["b.jpg", "day 2/a (1).jpg"]


def test_earlier_results_among_the_photos_are_left_out(photos, tmp_path):
    (photos / "out" / "gaussian").mkdir(parents=True)
    (photos / "out" / "gaussian" / "render.jpg").write_bytes(b"render")
    pack(photos, tmp_path / "photos.zip", without=[photos / "out" / "gaussian"])
    assert names(tmp_path / "photos.zip") == ["b.jpg", "day 2/a (1).jpg"]


@pytest.mark.parametrize("name", [b"a\\b.jpg", b"caf\xe9.jpg"], ids=["backslash", "not unicode"])
def test_names_that_no_archive_may_hold_are_changed(tmp_path, name):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / os.fsdecode(name)).write_bytes(b"photo")
    pack(folder, tmp_path / "photos.zip", without=[])
    assert [
        entry for entry in names(tmp_path / "photos.zip") if "\\" in entry or not entry.isprintable()
    ] == []


def test_photos_in_the_folder_that_results_go_to_are_packed(photos, tmp_path):
    pack(photos, tmp_path / "photos.zip", without=[photos / "colmap", photos / "gaussian"])
    assert names(tmp_path / "photos.zip") == ["b.jpg", "day 2/a (1).jpg"]


def test_a_folder_without_photos_is_input_not_found_with_the_remedy(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputNotFound, match=r"give a folder of photos or a \.zip"):
        pack(tmp_path / "photos", tmp_path / "photos.zip", without=[])


def test_missing_photos_are_told_at_once(tmp_path):
    with pytest.raises(InputNotFound, match=r"give a folder of photos or a \.zip"):
        check(tmp_path / "photos")


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(InputInvalid, match="neither a folder of photos"):
        check(tmp_path / "photo.jpg")


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("My Garden (2024)", "my-garden-2024"),
        ("fox/images", "fox"),
        ("Übung", "bung"),
        ("写真", "scene"),
        ("a" * 80, "a" * 63),
    ],
)
def test_a_scene_is_named_after_its_photos(tmp_path, path, slug):
    folder = tmp_path / path
    folder.mkdir(parents=True)
    assert scene_slug(folder) == slug


def test_a_scene_from_a_zip_is_named_without_its_ending(tmp_path):
    (tmp_path / "Garden.zip").touch()
    assert scene_slug(tmp_path / "Garden.zip") == "garden"
