"""Manifests in a folder: the object store as the operator sees it, shared by processes."""

from __future__ import annotations

import os
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path

from splatworks_common.artifacts.manifest import MANIFEST_NAME, Manifest, ManifestFile
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import StorageUnavailable


class FolderArtifacts:
    """``Artifacts`` whose objects are files. A file named ``down`` makes the store unavailable."""

    bucket = "splatworks"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def manifest(self, uri: str) -> Manifest | None:
        self._check()
        found = self._path(uri) / MANIFEST_NAME
        return Manifest.from_json(found.read_bytes()) if found.exists() else None

    async def delete(self, uri: str) -> int:
        self._check()
        files = [path for path in self._path(uri).rglob("*") if path.is_file()]
        shutil.rmtree(self._path(uri), ignore_errors=True)
        return len(files)

    def has(self, uri: str) -> bool:
        """Whether anything lies beneath an address."""
        return self._path(uri).exists()

    def put(self, uri: str) -> None:
        """Puts some object there."""
        self._path(uri).parent.mkdir(parents=True, exist_ok=True)
        self._path(uri).write_text("...")

    def commit(self, uri: str, stage: str, metrics: dict[str, float]) -> Manifest:
        """Finishes an artifact; the first manifest stands."""
        folder = self._path(uri)
        folder.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(
            stage=stage,
            stage_version="1",
            input_digest="0" * 64,
            files=[ManifestFile(path="report.json", bytes=2, sha256="1" * 64, media_type="application/json")],
            created=datetime.now(UTC),
            seconds=0.0,
            metrics=metrics,
        )
        partial = folder / uuid.uuid4().hex
        partial.write_bytes(manifest.to_json())
        try:
            os.link(partial, folder / MANIFEST_NAME)
        except FileExistsError:
            manifest = Manifest.from_json((folder / MANIFEST_NAME).read_bytes())
        partial.unlink()
        return manifest

    def go_down(self) -> None:
        """Answers nothing from now on."""
        (self._folder / "down").touch()

    def come_up(self) -> None:
        """Answers again."""
        (self._folder / "down").unlink()

    def _check(self) -> None:
        if (self._folder / "down").exists():
            raise StorageUnavailable("the object store does not answer")

    def _path(self, uri: str) -> Path:
        where = S3Uri.parse(uri)
        return self._folder / where.bucket / where.key
