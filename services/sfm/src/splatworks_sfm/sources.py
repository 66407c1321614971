"""Finds the files that may be photos, in an order and under names that depend on nothing but their names.

A file is judged by its content, later, when it is decoded; here only files that systems leave behind by
themselves (``.DS_Store``, ``Thumbs.db``, ``._x.jpg``) are passed over without a word. Links are never
followed.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_JUNK_NAMES = {"thumbs.db", "desktop.ini", "manifest.json"}
_MAX_STEM = 64


@dataclass(frozen=True)
class Source:
    """A file that may be a photo.

    Attributes:
        path: Where its bytes are.
        name: What its owner calls it: the path inside the folder or archive, with ``/``, as valid Unicode.
        mask: The file that says which of its pixels to ignore, None where all count.
    """

    path: Path
    name: str
    mask: Source | None = None


@dataclass(frozen=True)
class Skipped:
    """A file that is not used, and why, in words for its owner."""

    name: str
    reason: str


def is_junk(name: str) -> bool:
    """True for a file nobody means to be a photo (``name`` is a path with ``/``).

    Example:
        >>> is_junk("__MACOSX/._DJI_0018.JPG")
        True
    """
    parts = PurePosixPath(name).parts
    return (
        "__MACOSX" in parts or any(part.startswith(".") for part in parts) or parts[-1].lower() in _JUNK_NAMES
    )


def find_sources(folder: Path) -> tuple[list[Source], list[Skipped]]:
    """Lists the files under ``folder``, without junk, in natural order of their names."""
    sources: list[Source] = []
    skipped: list[Skipped] = []
    for root, _, files in os.walk(folder):
        for file in files:
            path = Path(root, file)
            name = _readable(path.relative_to(folder).as_posix())
            if is_junk(name):
                continue
            if path.is_symlink() or not path.is_file():
                skipped.append(Skipped(name, "it is a link or a special file, not a photo"))
            else:
                sources.append(Source(path, name))
    return in_natural_order(sources), sorted(skipped, key=lambda skip: natural_key(skip.name))


def in_natural_order(sources: Sequence[Source]) -> list[Source]:
    """The sources in the order a person would list their names."""
    return sorted(sources, key=lambda source: natural_key(source.name))


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts names as people read them: numbers by value, letters without case.

    Example:
        >>> sorted(["IMG_10.jpg", "img_9.jpg"], key=natural_key)
        ['img_9.jpg', 'IMG_10.jpg']
    """
    pieces = re.split(r"([0-9]+)", name.casefold())
    return [(1, int(piece), "") if piece.isdecimal() else (0, 0, piece) for piece in pieces if piece], name


def safe_names(names: Sequence[str]) -> list[str]:
    """One file name ending in ``.jpg`` for each name, unique without case.

    Only ASCII letters, digits, ``-`` and ``_`` are left. Folders become part of the name. The result depends
    on the names and their order only.

    Example:
        >>> safe_names(["Café/a b.png", "cafe/a_b.jpg"])
        ['Cafe_a_b.jpg', 'cafe_a_b-2.jpg']
    """
    taken: set[str] = set()
    result = []
    for name in names:
        path = PurePosixPath(name)
        whole = str(path.with_suffix("")) if path.name else ""
        plain = unicodedata.normalize("NFKD", whole).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Za-z0-9-]+", "_", plain).strip("_-")[-_MAX_STEM:] or "photo"
        unique, count = stem, 1
        while unique.casefold() in taken:
            count += 1
            unique = f"{stem}-{count}"
        taken.add(unique.casefold())
        result.append(f"{unique}.jpg")
    return result


def _readable(name: str) -> str:
    """Replaces what is no valid Unicode in a file name (undecodable bytes come as lone surrogates)."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
