"""Entity tags and the conditions that clients put on them (RFC 9110, section 13)."""

from __future__ import annotations

import re

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def etag(digest: str) -> str:
    """The strong entity tag of content with this digest."""
    return f'"{digest}"'


def is_unmodified(if_none_match: str | None, tag: str) -> bool:
    """Whether the client's ``If-None-Match`` says that it has this content: the answer is 304."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)


def wants_range(if_range: str | None, tag: str) -> bool:
    """Whether a ``Range`` may be honoured; not where ``If-Range`` names other content, or a date."""
    return if_range is None or if_range.strip() == tag
