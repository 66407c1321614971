"""The zip around a bundled SOG scene, written for viewers and read with suspicion.

Viewers parse these zips themselves: the end record must be the file's last 22 bytes (no archive comment),
nothing may need zip64, and entries are stored or deflated. The WebP files are stored, as they do not
shrink; ``meta.json`` is deflated. Times and attributes are constants, so that equal files make equal
bundles.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from splatworks_common.reasons import InputInvalid

MAX_ENTRIES = 64
"""A scene has eight; a bundle may carry a few files more, but nobody's archive."""

MAX_DIRECTORY_BYTES = 65536
"""Size of the list of those entries; our own takes 450 bytes."""

_END_RECORD = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_ZIP64_COUNT = 0xFFFF
_ZIP64_SIZE = 0xFFFFFFFF
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


def write_bundle(path: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into one bundle, in the order given; names ending in ``.json`` are deflated."""
    with zipfile.ZipFile(path, "w", allowZip64=False) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = _MODE
            entry.compress_type = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            archive.writestr(entry, data)


class BundleReader:
    """Reads single entries of a bundle; nothing is ever extracted to a path.

    Raises:
        InputInvalid: On opening: it is not a zip as viewers accept it, or has more than MAX_ENTRIES entries.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        _check_end_record(path)
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise InputInvalid(f"{path.name} is a damaged zip: {error}") from error
        names = self._archive.namelist()
        if len(set(names)) != len(names) or len(names) > MAX_ENTRIES:
            self._archive.close()
            raise InputInvalid(f"{path.name} lists files twice or more than {MAX_ENTRIES} of them")

    def __enter__(self) -> BundleReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def read(self, name: str, limit: int) -> bytes:
        """The contents of an entry of at most ``limit`` bytes.

        Raises:
            InputInvalid: There is no such entry, it is larger, encrypted, damaged, or of an unusual
                compression.
        """
        try:
            entry = self._archive.getinfo(name)
        except KeyError as error:
            raise InputInvalid(f"{self._name} lacks the file {name}") from error
        if entry.file_size > limit:
            raise InputInvalid(
                f"{self._name}: {name} would unpack to {entry.file_size} bytes; {limit} are allowed"
            )
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputInvalid(f"{self._name}: {name} is encrypted or neither stored nor deflated")
        try:
            return self._archive.read(entry)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError, zlib.error) as error:
            raise InputInvalid(f"{self._name}: {name} is damaged: {error}") from error


def _check_end_record(path: Path) -> None:
    """Refuses what viewers can not open, before the directory of the zip is read."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_RECORD.size))
        tail = file.read(_END_RECORD.size)
    if len(tail) < _END_RECORD.size or not tail.startswith(_END_SIGNATURE):
        raise InputInvalid(
            f"{path.name} is no SOG bundle: its last {_END_RECORD.size} bytes do not end a zip"
        )
    _, _, _, _, entries, directory_size, directory_offset, _ = _END_RECORD.unpack(tail)
    if entries == _ZIP64_COUNT or _ZIP64_SIZE in (directory_size, directory_offset):
        raise InputInvalid(f"{path.name} is a zip64 archive, which viewers do not open")
    if entries > MAX_ENTRIES or directory_size > MAX_DIRECTORY_BYTES:
        raise InputInvalid(f"{path.name} lists {entries} files; a SOG bundle has at most {MAX_ENTRIES}")
