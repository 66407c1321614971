"""Encryption by the store with keys of its own ("S3"), on a real SeaweedFS: asked for, done and undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from minio import Minio

from splatworks_common.artifacts import transfer
from splatworks_common.artifacts.manifest import Manifest
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri


@pytest.fixture
def encrypting(object_store: StoreSettings) -> Iterator[ArtifactStore]:
    with ArtifactStore(replace(object_store, sse="S3")) as store:
        yield store


def unencrypted(store: ArtifactStore, uri: S3Uri) -> list[str]:
    """The keys beneath ``uri`` that the store did not encrypt."""
    settings = store.settings
    client = Minio(
        settings.url.removeprefix("http://"), settings.access_key, settings.secret_key, secure=False
    )
    keys = [entry.key for entry in store.list_objects(uri)]
    assert keys
    return [
        key
        for key in keys
        if (client.stat_object(uri.bucket, key).metadata or {}).get("X-Amz-Server-Side-Encryption")
        != "AES256"
    ]


def test_everything_written_is_encrypted_and_reads_back(
    encrypting: ArtifactStore, prefix: S3Uri, folder: Path, tmp_path: Path
) -> None:
    (folder / "large.bin").write_bytes(bytes(transfer.PART_BYTES) + b"end")
    files = encrypting.upload_directory(folder, prefix / "made")
    manifest = Manifest("train", "1", "a" * 64, files, datetime(2026, 1, 1, tzinfo=UTC), 1.0)
    encrypting.commit(manifest, prefix / "made")
    encrypting.copy_prefix(prefix / "made", prefix / "copied", files)
    encrypting.put_bytes(prefix / "note.txt", b"note")

    assert unencrypted(encrypting, prefix) == []
    assert encrypting.download_directory(prefix / "copied", tmp_path / "back") == files


def test_a_large_copy_is_encrypted(
    encrypting: ArtifactStore, prefix: S3Uri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "COPY_PART_BYTES", 5 << 20)
    (tmp_path / "large.bin").write_bytes(bytes(6 << 20))
    row = encrypting.upload_file(tmp_path / "large.bin", prefix / "made/large.bin")
    encrypting.copy_prefix(prefix / "made", prefix / "copied", [row])

    assert unencrypted(encrypting, prefix) == []
