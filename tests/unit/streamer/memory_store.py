"""An object store in memory, with the calls of ``ArtifactStore`` that the streamer makes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from splatworks_common.artifacts.manifest import Manifest, ManifestFile, media_type
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputNotFound, StorageUnavailable

ROOT = S3Uri("test-bucket", "scenes")
CHUNK_BYTES = 1000


@dataclass(frozen=True)
class Entry:
    key: str


@dataclass
class Stream:
    """Small chunks, and whether it was closed."""

    data: bytes
    closed: bool = False

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), CHUNK_BYTES):
            yield self.data[start : start + CHUNK_BYTES]

    def close(self) -> None:
        self.closed = True


@dataclass
class MemoryStore:
    """Objects by address. While ``down``, every call fails as a store does that is gone."""

    objects: dict[S3Uri, bytes] = field(default_factory=dict)
    streams: list[Stream] = field(default_factory=list)
    down: bool = False

    def get_bytes(self, uri: S3Uri) -> bytes:
        self._require_up()
        if uri not in self.objects:
            raise InputNotFound(f"there is no {uri}")
        return self.objects[uri]

    def put_bytes(self, uri: S3Uri, data: bytes) -> None:
        self._require_up()
        self.objects[uri] = data

    def list_objects(self, uri: S3Uri) -> Iterator[Entry]:
        self._require_up()
        keys = sorted(stored.key for stored in self.objects if stored.bucket == uri.bucket)
        return iter([Entry(key) for key in keys if key.startswith(uri.prefix)])

    def delete_prefix(self, uri: S3Uri) -> int:
        self._require_up()
        doomed = [stored for stored in self.objects if stored.key.startswith(uri.prefix)]
        for stored in doomed:
            del self.objects[stored]
        return len(doomed)

    def read_manifest(self, uri: S3Uri) -> Manifest | None:
        self._require_up()
        data = self.objects.get(uri / "manifest.json")
        return Manifest.from_json(data) if data is not None else None

    def open_range(self, uri: S3Uri, start: int, length: int) -> Stream:
        stream = Stream(self.get_bytes(uri)[start : start + length])
        self.streams.append(stream)
        return stream

    def put_artifact(self, uri: S3Uri, files: Mapping[str, bytes]) -> Manifest:
        """Stores files and, last, their manifest, as a stage does."""
        rows = [
            ManifestFile(name, len(data), hashlib.sha256(data).hexdigest(), media_type(name))
            for name, data in files.items()
        ]
        manifest = Manifest("publish", "1", "0" * 64, rows, datetime(2026, 1, 1, tzinfo=UTC), 1.0)
        for name, data in files.items():
            self.put_bytes(uri / name, data)
        self.put_bytes(uri / "manifest.json", manifest.to_json())
        return manifest

    def put_folder(self, uri: S3Uri, folder: Path) -> Manifest:
        """Stores the files of a flat folder as an artifact."""
        return self.put_artifact(uri, {path.name: path.read_bytes() for path in folder.iterdir()})

    def _require_up(self) -> None:
        if self.down:
            raise StorageUnavailable("the object store did not answer; try again")
