"""Byte ranges (RFC 9110, section 14).

One range a request: several are refused, for no client of a scene asks for them and answering takes
multipart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BYTES = re.compile(r"\s*bytes\s*=(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(r"[ \t]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t]*")


class RangeNotSatisfiable(Exception):
    """The range begins behind the end, is empty, or is more than one: the answer is 416."""


@dataclass(frozen=True)
class ByteRange:
    """``length`` bytes from ``start`` on, inside a file of ``size`` bytes."""

    start: int
    length: int
    size: int

    @property
    def content_range(self) -> str:
        """The value of ``Content-Range``."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.size}"


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Reads a ``Range`` header.

    Example:
        >>> parse_range("bytes=-5", 20)
        ByteRange(start=15, length=5, size=20)

    Returns:
        The range, or None where the whole file is meant: no header, another unit, or nonsense, which RFC 9110
        wants ignored.

    Raises:
        RangeNotSatisfiable: Nothing can be sent for it.
    """
    unit = _BYTES.fullmatch(header or "")
    if unit is None:
        return None
    if "," in unit[1]:
        raise RangeNotSatisfiable("only one range a request is served")
    match = _RANGE.fullmatch(unit[1])
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(size - int(suffix), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise RangeNotSatisfiable(f"the file has {size} bytes")
    return ByteRange(start, end - start, size)
