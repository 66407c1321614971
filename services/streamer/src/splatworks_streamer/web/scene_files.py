"""Scene files out of the object store: which there are, and how they are sent.

Only files that one of the scene's two manifests names are served, so no request can reach another object.
What the manifests say (size, digest, media type) makes the headers; the store is asked for the bytes alone.
Its client is synchronous, so every call to it runs in a worker thread.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from anyio import CancelScope, to_thread
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from splatworks_common.artifacts.manifest import Manifest, ManifestFile
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_streamer.scenes import ByteStream, Scene, SceneRegistry

_MANIFESTS_KEPT = 512
_VERSION_DIGITS = 12


@dataclass(frozen=True)
class SceneFile:
    """One file of a scene: where it lies, and what its manifest says of it."""

    uri: S3Uri
    entry: ManifestFile


@dataclass(frozen=True)
class ServedScene:
    """A scene with its files by name.

    Attributes:
        scene: The scene's record.
        version: Names the content of all files together; part of the paths that may be cached for ever.
        files: Every file that may be asked for.
    """

    scene: Scene
    version: str
    files: Mapping[str, SceneFile]

    def path(self, name: str) -> str:
        """The path under which a page refers to a file.

        Raises:
            KeyError: The scene has no such file.
        """
        if name not in self.files:
            raise KeyError(name)
        return f"/s/{self.scene.slug}/{self.version}/{name}"


class SceneFiles:
    """Finds scenes and their files. Synchronous: call it from a worker thread."""

    def __init__(self, registry: SceneRegistry) -> None:
        self._registry = registry
        # Records name manifests by digest, so a manifest once read stays right.
        self._manifest = functools.lru_cache(_MANIFESTS_KEPT)(self._read_manifest)

    def find(self, slug: str) -> ServedScene:
        """The scene of that name, as it is published now.

        Raises:
            InputInvalid: ``slug`` is not a slug, or the scene's artifacts are not those that were published.
            InputNotFound: There is no such scene, or its artifacts are gone.
        """
        return self.served(self._registry.get(slug))

    def served(self, scene: Scene) -> ServedScene:
        """A scene whose record is known.

        Raises:
            InputInvalid, InputNotFound: As ``find``.
        """
        files: dict[str, SceneFile] = {}
        for uri, digest in (
            (scene.compressed_uri, scene.compressed_digest),
            (scene.published_uri, scene.published_digest),
        ):
            manifest = self._manifest(uri, digest)
            files |= {entry.path: SceneFile(uri / entry.path, entry) for entry in manifest.files}
        both = f"{scene.published_digest}{scene.compressed_digest}".encode()
        return ServedScene(scene, hashlib.sha256(both).hexdigest()[:_VERSION_DIGITS], files)

    def open(self, file: SceneFile, start: int, length: int) -> ByteStream:
        """Begins to read a part of a file; the store has answered when this returns."""
        return self._registry.store.open_range(file.uri, start, length)

    def _read_manifest(self, uri: S3Uri, digest: str) -> Manifest:
        manifest = self._registry.store.read_manifest(uri)
        if manifest is None:
            raise InputNotFound(f"the scene's files at {uri} are gone; publish it again")
        if manifest.digest() != digest:
            raise InputInvalid(
                f"the scene's files at {uri} are not those that were published; publish it again"
            )
        return manifest


class StoreStream(StreamingResponse):
    """Sends chunks from the store, and closes the stream whether or not the client stays to the end."""

    def __init__(
        self, stream: ByteStream, status_code: int, headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(_chunks(stream), status_code, headers, media_type)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._stream.close)


async def _chunks(stream: ByteStream) -> AsyncIterator[bytes]:
    chunks = iter(stream)
    while (chunk := await to_thread.run_sync(next, chunks, None)) is not None:
        yield chunk


def without_body(status_code: int, headers: Mapping[str, str], media_type: str | None = None) -> Response:
    """An answer of headers only, whose ``Content-Length`` may be that of the body not sent."""
    return Response(status_code=status_code, headers=dict(headers), media_type=media_type)
