"""Which of the compressed forms of a file a client takes (RFC 9110, section 12.5.3)."""

from __future__ import annotations

from collections.abc import Collection

IDENTITY = "identity"
_PREFERENCE = ("br", "gzip")
"""Smallest first."""


def choose_encoding(accept_encoding: str | None, available: Collection[str]) -> str:
    """The best of ``available`` that the client takes; ``identity`` where it takes none.

    Example:
        >>> choose_encoding("gzip, br;q=0", {"br", "gzip"})
        'gzip'
    """
    accepted = _accepted(accept_encoding or "")
    for encoding in _PREFERENCE:
        if encoding in available and accepted.get(encoding, accepted.get("*", 0.0)) > 0:
            return encoding
    return IDENTITY


def _accepted(header: str) -> dict[str, float]:
    weights = {}
    for item in header.split(","):
        name, _, parameter = item.partition(";")
        weights[name.strip().lower()] = _weight(parameter)
    return weights


def _weight(parameter: str) -> float:
    key, _, value = parameter.partition("=")
    if key.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
