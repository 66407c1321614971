"""A bearer token in a file of one line, replaced while the process runs.

The token is a secret: it stands in no message and no ``repr``.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

log = logging.getLogger(__name__)

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What RFC 6750 allows."""


class UnusableToken(Exception):
    """The file can not be read, or holds something else than one token."""


class TokenFile:
    """The token of a file, always the last usable one."""

    def __init__(self, path: Path) -> None:
        """Reads the file for the first time.

        Raises:
            UnusableToken: It holds no token.
        """
        self._path = path
        self._token = self._read()
        self._complaint = ""

    def current(self) -> str:
        """The token as the file has it now; as it had it before, where it is not usable any more."""
        try:
            self._token = self._read()
            self._complaint = ""
        except UnusableToken as error:
            if str(error) != self._complaint:
                log.error("the replaced token is not used, the last one stays: %s", error)
            self._complaint = str(error)
        return self._token

    def _read(self) -> str:
        try:
            token = self._path.read_text("ascii").strip()
        except OSError as error:
            raise UnusableToken(f"{self._path} can not be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise UnusableToken(f"{self._path} holds something else than one line with a token") from None
        if not _TOKEN.fullmatch(token):
            raise UnusableToken(f"{self._path} holds something else than one line with a token")
        return token
