"""The files that are the same for every scene: the viewer, and the pages' own styles and scripts.

They are read once, when the application is made, and served from memory under ``/static/{digest}/``, where
the digest covers all of them: a new release has new addresses, so browsers may keep the old ones for ever. A
file ``x.br`` or ``x.gz`` beside ``x`` is its compressed form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from splatworks_common.artifacts.manifest import media_type
from splatworks_streamer.web.encodings import IDENTITY, choose_encoding
from splatworks_streamer.web.headers import IMMUTABLE
from splatworks_streamer.web.validators import etag, is_unmodified

_SUFFIX_BY_ENCODING = {"br": ".br", "gzip": ".gz"}
_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class StaticFile:
    """One file: its media type and its content by encoding; ``identity`` is always there."""

    media_type: str
    content: Mapping[str, bytes]


class StaticFiles:
    """All static files by name (``"site.css"``, ``"viewer/index.js"``).

    Attributes:
        digest: Names this set of files; the part of the path before the name.
    """

    def __init__(self, files: Mapping[str, StaticFile]) -> None:
        self._files = dict(files)
        digest = hashlib.sha256()
        for name, file in sorted(self._files.items()):
            digest.update(f"{name}\0".encode() + hashlib.sha256(file.content[IDENTITY]).digest())
        self.digest = digest.hexdigest()[:12]

    @classmethod
    def packaged(cls) -> StaticFiles:
        """The files inside this package.

        Raises:
            FileNotFoundError: The viewer was not built into it.
        """
        if not (_PACKAGE / "viewer" / "index.js").is_file():
            raise FileNotFoundError(
                "the viewer, which the build fetches, is missing from splatworks_streamer; install it again"
            )
        return cls(_read("", _PACKAGE / "web" / "assets") | _read("viewer/", _PACKAGE / "viewer"))

    def path(self, name: str) -> str:
        """The path under which a page refers to a file.

        Raises:
            KeyError: There is no such file.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.digest}/{name}"

    async def respond(self, request: Request) -> Response:
        """Answers ``/static/{digest}/{name}``."""
        file = self._files.get(request.path_params["name"])
        if file is None or request.path_params["digest"] != self.digest:
            raise HTTPException(404)
        encoding = choose_encoding(request.headers.get("Accept-Encoding"), file.content)
        tag = etag(f"{self.digest}-{encoding}")
        headers = {"ETag": tag, "Cache-Control": IMMUTABLE, "Vary": "Accept-Encoding"}
        if is_unmodified(request.headers.get("If-None-Match"), tag):
            return Response(status_code=304, headers=headers)
        if encoding != IDENTITY:
            headers["Content-Encoding"] = encoding
        return Response(file.content[encoding], headers=headers, media_type=file.media_type)


def _read(prefix: str, folder: Path) -> dict[str, StaticFile]:
    compressed = tuple(_SUFFIX_BY_ENCODING.values())
    return {
        prefix + path.name: StaticFile(media_type(path.name), _contents(path))
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.endswith(compressed)
    }


def _contents(path: Path) -> dict[str, bytes]:
    contents = {IDENTITY: path.read_bytes()}
    for encoding, suffix in _SUFFIX_BY_ENCODING.items():
        beside = path.with_name(path.name + suffix)
        if beside.is_file():
            contents[encoding] = beside.read_bytes()
    return contents
