"""Unpacks a .zip of photos that may have been made to do harm.

Assumes nothing an archive's headers claim: bytes are counted as they are written, and every entry is written
under a number, never under its own name, so no entry can choose where it lands. An archive that shows intent
(a path out of the folder, a link, another archive inside, a bomb) is refused as a whole, naming the entry.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from splatworks_common.reasons import InputInvalid
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.sources import Source, in_natural_order, is_junk

_BLOCK = 1 << 20
_RATIO_FLOOR = 16 << 20
"""Bytes an entry may unpack to whatever its ratio: a plain small picture can pack very well."""
_BYTES_PER_DIRECTORY_ENTRY = 1024
"""Room for one entry's 46-byte header, name and extra fields in the central directory; real ones take
~120."""

_LONGEST_NAME = 1024
"""Characters of an entry's name: as many as an object key has bytes at most. A .zip has room for 65535."""

_ARCHIVE_SUFFIXES = {".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".cab", ".jar"}
_ARCHIVE_MAGIC = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
)


def unpack(archive: Path, into: Path, options: SfmOptions) -> list[Source]:
    """Writes the files of a .zip into the new folder ``into``.

    Returns:
        The files in natural order of their names in the archive, without junk.

    Raises:
        InputInvalid: It is no .zip, it is damaged, or it breaks one of the limits in ``options``.
    """
    try:
        with archive.open("rb") as file:
            _check_directory_size(file, options)
            with zipfile.ZipFile(file) as opened:
                return _unpack(opened, into, options)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        # The last is a name that is marked as UTF-8 and is not.
        raise InputInvalid(
            f"{archive.name} is not a readable .zip ({error}); pack the photos again"
        ) from error


def _unpack(opened: zipfile.ZipFile, into: Path, options: SfmOptions) -> list[Source]:
    entries = opened.infolist()
    if len(entries) > options.max_archive_entries:
        raise _too_many_entries(options)
    names: set[str] = set()
    for entry in entries:
        _check_entry(entry, names)
    into.mkdir(parents=True)
    sources: list[Source] = []
    room = options.max_archive_bytes
    for number, entry in enumerate(entries):
        if entry.is_dir() or is_junk(entry.filename):
            continue
        path = into / f"{number:06d}"
        room -= _write_entry(opened, entry, path, room, options)
        sources.append(Source(path, str(PurePosixPath(entry.filename))))
    return in_natural_order(sources)


def _check_directory_size(file: IO[bytes], options: SfmOptions) -> None:
    """Refuses a list of entries that is too long before ``zipfile`` reads it into memory as a whole."""
    end = file.seek(0, 2)
    file.seek(max(0, end - 65_557))
    tail = file.read()
    record = tail.rfind(b"PK\x05\x06")
    if 0 <= record <= len(tail) - 22:
        (size,) = struct.unpack_from("<I", tail, record + 12)
        wide = tail.rfind(b"PK\x06\x06", 0, record)
        if size == 0xFFFFFFFF and 0 <= wide <= len(tail) - 48:
            (size,) = struct.unpack_from("<Q", tail, wide + 40)
        if size > options.max_archive_entries * _BYTES_PER_DIRECTORY_ENTRY:
            raise _too_many_entries(options)
    file.seek(0)


def _too_many_entries(options: SfmOptions) -> InputInvalid:
    return InputInvalid(f"The archive has more than {options.max_archive_entries} entries; send fewer photos")


def _check_entry(entry: zipfile.ZipInfo, names: set[str]) -> None:
    """Refuses an entry for what its directory record says, and adds its name to ``names``."""
    name = entry.filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if "\0" in entry.orig_filename or not path.parts:
        raise _refused(name, "has no usable name")
    if len(name) > _LONGEST_NAME:
        raise _refused(name, f"has a name of over {_LONGEST_NAME} characters")
    if path.is_absolute() or "\\" in name or re.match(r"[A-Za-z]:", name):
        raise _refused(name, "has an absolute path, a drive letter or a backslash in its name")
    if ".." in path.parts:
        raise _refused(name, "points out of the archive with '..'")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(name, "is a link or a special file")
    if entry.flag_bits & 0x1:
        raise _refused(name, "is encrypted")
    if str(path) in names:
        raise _refused(name, "is there twice")
    if not is_junk(name) and path.suffix.lower() in _ARCHIVE_SUFFIXES:
        raise _refused(name, "is an archive inside the archive")
    names.add(str(path))


def _write_entry(
    opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int, options: SfmOptions
) -> int:
    """Writes one entry and returns how many bytes it had."""
    highest = max(_RATIO_FLOOR, options.max_archive_ratio * entry.compress_size)
    written = 0
    try:
        with opened.open(entry) as packed, path.open("xb") as file:
            while block := packed.read(_BLOCK):
                if written == 0 and (block.startswith(_ARCHIVE_MAGIC) or block[257:262] == b"ustar"):
                    raise _refused(entry.filename, "is an archive inside the archive")
                written += len(block)
                if written > highest:
                    raise _refused(
                        entry.filename, f"unpacks to over {options.max_archive_ratio} times its size"
                    )
                if written > room:
                    raise _refused(entry.filename, f"takes the total over {options.max_archive_bytes} bytes")
                file.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError) as error:
        raise _refused(entry.filename, f"can not be unpacked ({error})") from error
    return written


def _refused(name: str, why: str) -> InputInvalid:
    return InputInvalid(
        f"The archive was refused: entry {name[:200]!r} {why}; pack only the photos themselves"
    )
