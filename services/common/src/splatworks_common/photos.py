"""Which files are photos, by their names: what people's folders are searched for."""

from __future__ import annotations

from pathlib import PurePath

_SUFFIXES = frozenset(
    (
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".jfif",
        ".jp2",
        ".jpeg",
        ".jpg",
        ".png",
        ".tif",
        ".tiff",
        ".webp",
    )
)


def is_named_like_a_photo(name: str) -> bool:
    """False for a file whose name says that it is something else. A name without an ending says nothing.

    Example:
        >>> is_named_like_a_photo("cameras.json")
        False
    """
    suffix = PurePath(name).suffix.lower()
    return not suffix or suffix in _SUFFIXES
