from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from splatworks_common.reasons import InputNotFound
from splatworks_operator.local.photos import pack, scene_slug


def quiet(done: int, total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "My Photos"
    (folder / "day 2").mkdir(parents=True)
    (folder / "b.jpg").write_bytes(b"second")
    (folder / "day 2" / "a (1).jpg").write_bytes(b"first")
    (folder / ".DS_Store").write_bytes(b"junk")
    return folder


def test_every_photo_is_packed_under_the_name_its_owner_gave_it(photos, tmp_path):
    pack(photos, tmp_path / "photos.zip", quiet)
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        assert archive.namelist() == ["b.jpg", "day 2/a (1).jpg"]
        assert archive.read("day 2/a (1).jpg") == b"first"


def test_the_same_photos_give_the_same_bytes_whenever_they_were_touched(photos, tmp_path):
    pack(photos, tmp_path / "one.zip", quiet)
    for photo in photos.rglob("*.jpg"):
        photo.touch()
    pack(photos, tmp_path / "two.zip", quiet)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_link_is_not_followed(photos, tmp_path):
    (photos / "c.jpg").symlink_to(tmp_path)
    (photos / "d.jpg").symlink_to(photos / "b.jpg")
    pack(photos, tmp_path / "photos.zip", quiet)
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        assert archive.namelist() == ["b.jpg", "day 2/a (1).jpg"]


def test_progress_ends_with_every_file(photos, tmp_path):
    seen = []
    pack(photos, tmp_path / "photos.zip", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2, 2)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["missing", "empty"])
def test_no_photos_are_input_not_found_with_the_remedy(tmp_path, make):
    make(tmp_path / "photos")
    with pytest.raises(InputNotFound, match=r"give a folder of photos or a \.zip"):
        pack(tmp_path / "photos", tmp_path / "photos.zip", quiet)


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
