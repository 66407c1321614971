import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from splatworks_common.reasons import InputInvalid
from splatworks_sfm.archive import unpack
from splatworks_sfm.config import SfmOptions
from tests.unit.sfm.pictures import jpeg_bytes


def packed(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_photos_come_out_in_natural_order_without_junk(tmp_path: Path) -> None:
    entries = {"p/10.jpg": b"ten", "p/9.jpg": b"nine", "__MACOSX/p/._9.jpg": b"junk", "p/Thumbs.db": b"junk"}
    archive = packed(tmp_path / "photos.zip", entries)

    sources = unpack(archive, tmp_path / "out", SfmOptions())

    assert [(source.name, source.path.read_bytes()) for source in sources] == [
        ("p/9.jpg", b"nine"),
        ("p/10.jpg", b"ten"),
    ]


def test_nothing_is_written_under_a_name_from_the_archive(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {"deep/er/1.jpg": b"x"})

    unpack(archive, tmp_path / "out", SfmOptions())

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["000000"]


@pytest.mark.parametrize(
    "name",
    [
        "../1.jpg",
        "a/../../1.jpg",
        "/etc/1.jpg",
        "C:/1.jpg",
        "c:1.jpg",
        "a\\1.jpg",
        "..\\1.jpg",
        "//host/1.jpg",
    ],
)
def test_an_entry_that_points_elsewhere_is_refused_by_name(tmp_path: Path, name: str) -> None:
    archive = packed(tmp_path / "photos.zip", {"1.jpg": b"x", name: b"x"})

    with pytest.raises(InputInvalid) as refused:
        unpack(archive, tmp_path / "out", SfmOptions())

    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_device_is_refused_by_name(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("link.jpg")
    entry.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")

    with pytest.raises(InputInvalid, match=r"'link\.jpg' is a link"):
        unpack(tmp_path / "photos.zip", tmp_path / "out", SfmOptions())


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("1.jpg", b"x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("more.zip", b"anything"),
        ("more.TAR.GZ", b"anything"),
        ("disguised.jpg", zip_bytes()),
        ("disguised2.jpg", b"\x1f\x8b\x08 gzip"),
        ("disguised3.jpg", b"Rar!\x1a\x07 rar"),
        ("disguised4.jpg", bytes(257) + b"ustar" + bytes(250)),
    ],
)
def test_an_archive_in_the_archive_is_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    archive = packed(tmp_path / "photos.zip", {name: content})

    with pytest.raises(InputInvalid, match=f"'{name}' is an archive inside"):
        unpack(archive, tmp_path / "out", SfmOptions())


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {f"{number}.jpg": b"" for number in range(11)})

    with pytest.raises(InputInvalid, match="more than 10 entries"):
        unpack(archive, tmp_path / "out", SfmOptions(max_archive_entries=10))


def test_a_huge_list_of_entries_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = packed(tmp_path / "photos.zip", {f"{number:0200}.jpg": b"" for number in range(100)})
    monkeypatch.setattr(zipfile, "ZipFile", None)

    with pytest.raises(InputInvalid, match="more than 10 entries"):
        unpack(archive, tmp_path / "out", SfmOptions(max_archive_entries=10))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {"1.jpg": b"x", "bomb.jpg": bytes(64 << 20)})

    with pytest.raises(InputInvalid, match=r"'bomb\.jpg' unpacks to over 200 times"):
        unpack(archive, tmp_path / "out", SfmOptions())

    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 32 << 20


def test_the_total_is_counted_over_entries(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {"1.jpg": bytes(600), "2.jpg": bytes(600)}, zipfile.ZIP_STORED)

    with pytest.raises(InputInvalid, match=r"'2\.jpg' takes the total over 1000 bytes"):
        unpack(archive, tmp_path / "out", SfmOptions(max_archive_bytes=1000))


def test_a_header_that_lies_about_the_size_does_not_help(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {"1.jpg": bytes(1 << 20)})
    real, lie = struct.pack("<I", 1 << 20), struct.pack("<I", 10)
    archive.write_bytes(archive.read_bytes().replace(real, lie))

    with pytest.raises(InputInvalid, match=r"'1\.jpg'"):
        unpack(archive, tmp_path / "out", SfmOptions(max_archive_bytes=1000))


def test_an_encrypted_entry_is_refused_by_name(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {"1.jpg": b"x"}, zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)

    with pytest.raises(InputInvalid, match=r"'1\.jpg' is encrypted"):
        unpack(archive, tmp_path / "out", SfmOptions())


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["1.jpg", "./1.jpg"])
def test_a_name_that_is_there_twice_is_refused(tmp_path: Path, second: str) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("1.jpg", b"x")
        archive.writestr(second, b"y")

    with pytest.raises(InputInvalid, match="is there twice"):
        unpack(tmp_path / "photos.zip", tmp_path / "out", SfmOptions())


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def text(content: bytes) -> bytes:
    return b"these are not the photos"


def empty(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [cut, text, empty])
def test_what_is_no_zip_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive = packed(tmp_path / "photos.zip", {"1.jpg": jpeg_bytes()})
    archive.write_bytes(damage(archive.read_bytes()))

    with pytest.raises(InputInvalid, match=r"photos\.zip is not a readable \.zip"):
        unpack(archive, tmp_path / "out", SfmOptions())


@pytest.mark.parametrize("record", [b"PK\x01\x02", b"PK\x03\x04"], ids=["directory", "entry"])
def test_a_name_that_is_not_the_utf8_it_claims_to_be_is_refused(tmp_path: Path, record: bytes) -> None:
    archive = packed(tmp_path / "photos.zip", {"\u00e9.jpg": b"x"})
    content = archive.read_bytes()
    name = content.index("\u00e9".encode(), content.index(record))
    archive.write_bytes(content[:name] + b"\xff\xff" + content[name + 2 :])

    with pytest.raises(InputInvalid, match="utf-8"):
        unpack(archive, tmp_path / "out", SfmOptions())


def test_a_name_in_an_unknown_code_page_is_taken_as_it_comes(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {"__.jpg": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"__", b"\xff\x9d"))

    (source,) = unpack(archive, tmp_path / "out", SfmOptions())

    assert source.name.encode().endswith(b".jpg")


def test_a_name_of_endless_digits_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {"1" * 5000 + ".jpg": b"x"})

    with pytest.raises(InputInvalid, match="a name of over 1024 characters"):
        unpack(archive, tmp_path / "out", SfmOptions())


def test_a_zip_of_an_unknown_version_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {"1.jpg": b"x"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 99
    archive.write_bytes(content)

    with pytest.raises(InputInvalid, match=r"not a readable \.zip \(zip file version 9\.9\)"):
        unpack(archive, tmp_path / "out", SfmOptions())


def test_a_damaged_entry_is_refused_by_name(tmp_path: Path) -> None:
    archive = packed(tmp_path / "photos.zip", {"1.jpg": b"some content"}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"some content", b"SOME content"))

    with pytest.raises(InputInvalid, match=r"'1\.jpg' can not be unpacked"):
        unpack(archive, tmp_path / "out", SfmOptions())
