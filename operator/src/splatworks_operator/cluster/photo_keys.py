"""People's names for their photos as keys that every object store takes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from splatworks_common.artifacts.uri import MAX_NAME_BYTES

_MAX_STEM = 64
_MAX_SUFFIX = 8
_NOT_PORTABLE = re.compile(r"[^A-Za-z0-9._-]+")


def portable_keys(names: Sequence[str]) -> dict[str, str]:
    """A key for each name: itself where it is portable, else one like it; all different.

    Args:
        names: Paths with ``/``, all different.

    Example:
        >>> portable_keys(["day 1/Café.jpg", "day_1/Cafe.jpg"])
        {'day 1/Café.jpg': 'day_1/Cafe-2.jpg', 'day_1/Cafe.jpg': 'day_1/Cafe.jpg'}
    """
    wanted = {name: "/".join(_portable(part) for part in PurePosixPath(name).parts) for name in names}
    keys: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: name != wanted[name]):  # who can keep a name goes first
        key, count = PurePosixPath(wanted[name]), 1
        unique = str(key)
        while unique in taken:
            count += 1
            unique = str(key.with_stem(f"{key.stem}-{count}"))
        taken.add(unique)
        keys[name] = unique
    return {name: keys[name] for name in names}


def _portable(part: str) -> str:
    """One segment of a path."""
    if part.strip(".") and len(part) <= MAX_NAME_BYTES and not _NOT_PORTABLE.search(part):
        return part
    path = PurePosixPath(part)
    stem = _plain(path.stem)[-_MAX_STEM:].strip("._-") or "photo"
    return stem + _plain(path.suffix)[:_MAX_SUFFIX]


def _plain(text: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _NOT_PORTABLE.sub("_", ascii_only)
