"""The bundle's layout as viewers need it, and the zips that are refused."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from splatworks_common.reasons import InputInvalid
from splatworks_compressor.bundle import BundleReader, write_bundle

FILES = {"meta.json": b'{"a": 1}' * 100, "a.webp": bytes(range(256))}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "scene.sog"
    write_bundle(path, FILES)
    return path


def test_files_read_back(bundle: Path) -> None:
    with BundleReader(bundle) as reader:
        assert {name: reader.read(name, 10_000) for name in FILES} == FILES


def test_end_record_is_the_last_22_bytes(bundle: Path) -> None:
    assert bundle.read_bytes()[-22:].startswith(b"PK\x05\x06")
    assert bundle.read_bytes()[-2:] == b"\0\0"


def test_images_are_stored_and_json_is_deflated(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        methods = {entry.filename: entry.compress_type for entry in archive.infolist()}

    assert methods == {"meta.json": zipfile.ZIP_DEFLATED, "a.webp": zipfile.ZIP_STORED}


def test_same_files_make_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "again.sog", FILES)

    assert (tmp_path / "again.sog").read_bytes() == bundle.read_bytes()


def test_entry_larger_than_the_limit_is_refused(bundle: Path) -> None:
    with BundleReader(bundle) as reader, pytest.raises(InputInvalid, match=r"meta\.json would unpack to 800"):
        reader.read("meta.json", 799)


def test_missing_entry_is_named(bundle: Path) -> None:
    with BundleReader(bundle) as reader, pytest.raises(InputInvalid, match=r"lacks the file b\.webp"):
        reader.read("b.webp", 100)


def test_damaged_entry_is_refused(bundle: Path) -> None:
    data = bytearray(bundle.read_bytes())
    data[data.index(FILES["a.webp"]) + 9] ^= 1
    bundle.write_bytes(data)

    with BundleReader(bundle) as reader, pytest.raises(InputInvalid, match="damaged"):
        reader.read("a.webp", 1000)


def test_entry_that_lies_about_its_size_gives_no_more_than_it_says(bundle: Path) -> None:
    data = bytearray(bundle.read_bytes())
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, entry + 24, 10)
    bundle.write_bytes(data)

    with BundleReader(bundle) as reader, pytest.raises(InputInvalid, match="damaged"):
        reader.read("meta.json", 100)


def with_comment(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"


def with_many_entries(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(100):
            archive.writestr(f"{i}.webp", b"")


def with_zip64_marker(path: Path) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into("<2H", data, len(data) - 14, 0xFFFF, 0xFFFF)
    path.write_bytes(data)


def with_a_huge_directory(path: Path) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, len(data) - 10, 1 << 30)
    path.write_bytes(data)


def with_a_name_twice(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"a.webp", b"b.webp"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("c.webp", b"")
    path.write_bytes(path.read_bytes().replace(b"c.webp", b"b.webp"))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def without_directory(path: Path) -> None:
    path.write_bytes(path.read_bytes()[-22:])


@pytest.mark.parametrize(
    "spoil",
    [
        with_comment,
        with_many_entries,
        with_zip64_marker,
        with_a_huge_directory,
        with_a_name_twice,
        cut_short,
        emptied,
        without_directory,
    ],
)
def test_zips_that_viewers_can_not_open_are_refused(bundle: Path, spoil: Callable[[Path], None]) -> None:
    spoil(bundle)

    with pytest.raises(InputInvalid):
        BundleReader(bundle)


def encrypted(data: bytearray) -> None:
    data[data.index(b"PK\x01\x02") + 8] |= 1


def compressed_in_another_way(data: bytearray) -> None:
    struct.pack_into("<H", data, data.index(b"PK\x01\x02") + 10, zipfile.ZIP_LZMA)


@pytest.mark.parametrize("spoil", [encrypted, compressed_in_another_way])
def test_entries_in_unusual_form_are_refused(bundle: Path, spoil: Callable[[bytearray], None]) -> None:
    data = bytearray(bundle.read_bytes())
    spoil(data)
    bundle.write_bytes(data)

    with BundleReader(bundle) as reader, pytest.raises(InputInvalid, match="encrypted or neither"):
        reader.read("meta.json", 1000)
