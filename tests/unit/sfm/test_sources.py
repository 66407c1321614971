import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_sfm.sources import find_sources, is_junk, safe_names


@pytest.mark.parametrize(
    "name",
    [
        ".DS_Store",
        "a/.DS_Store",
        "Thumbs.db",
        "a/._1.jpg",
        "__MACOSX/1.jpg",
        "manifest.json",
        "desktop.ini",
        ".x/1.jpg",
    ],
)
def test_what_systems_leave_behind_is_junk(name: str) -> None:
    assert is_junk(name)


@pytest.mark.parametrize("name", ["1.jpg", "a/IMG 1.HEIC", "notes.txt", "clip.mp4", "thumbs.jpg"])
def test_what_people_put_there_is_not_junk(name: str) -> None:
    assert not is_junk(name)


def test_sources_are_found_in_folders_in_natural_order(tmp_path: Path) -> None:
    for name in ["img_10.jpg", "IMG_9.jpg", "b/1.jpg", "a/2.jpg", ".DS_Store"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")

    sources, skipped = find_sources(tmp_path)

    assert [source.name for source in sources] == ["a/2.jpg", "b/1.jpg", "IMG_9.jpg", "img_10.jpg"]
    assert skipped == []


def test_links_are_skipped_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "in/link.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "in/broken.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in/folder").symlink_to(tmp_path)

    sources, skipped = find_sources(tmp_path / "in")

    assert sources == []
    assert [skip.name for skip in skipped] == ["broken.jpg", "link.jpg"]
    assert "link" in skipped[0].reason


def test_a_name_that_is_no_unicode_becomes_readable(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).write_bytes(b"x")

    sources, _ = find_sources(tmp_path)

    assert sources[0].name.encode()  # encodable, so it can be reported
    assert sources[0].path.read_bytes() == b"x"


def test_safe_names_keep_what_they_can() -> None:
    assert safe_names(
        ["DJI_0018.JPG", "Café/été 1.png", "照片.jpg", "-rf.jpg", "noextension", "a.b.c.jpg"]
    ) == [
        "DJI_0018.jpg",
        "Cafe_ete_1.jpg",
        "photo.jpg",
        "rf.jpg",
        "noextension.jpg",
        "a_b_c.jpg",
    ]


def test_safe_names_differ_even_where_case_does_not_count() -> None:
    assert safe_names(["a.jpg", "A.png", "a/.jpg", "a-2.jpg"]) == [
        "a.jpg",
        "A-2.jpg",
        "a_jpg.jpg",
        "a-2-2.jpg",
    ]


@given(st.lists(st.text(min_size=1, max_size=80)))
def test_safe_names_are_unique_and_plain_for_any_names(names: list[str]) -> None:
    safe = safe_names(names)

    assert len({name.casefold() for name in safe}) == len(names)
    assert all(
        name.isascii() and len(name) < 100 and "/" not in name and not name.startswith((".", "-"))
        for name in safe
    )
