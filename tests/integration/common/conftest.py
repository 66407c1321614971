"""What the artifact tests share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore


@pytest.fixture
def store(object_store: StoreSettings) -> Iterator[ArtifactStore]:
    with ArtifactStore(object_store) as store:
        yield store


@pytest.fixture
def bucket(object_store: StoreSettings) -> StoreSettings:
    """The shared store with a fresh bucket, for tests of what a whole bucket shares: the stage cache."""
    settings = replace(object_store, bucket=f"test-{uuid.uuid4().hex[:12]}")
    with ArtifactStore(settings) as store:
        store.ensure_bucket()
    return settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small stage result: files at two depths, one of them empty."""
    root = tmp_path / "result"
    (root / "sparse").mkdir(parents=True)
    (root / "model.ply").write_bytes(bytes(range(256)) * 100)
    (root / "sparse" / "cameras.bin").write_bytes(b"cameras")
    (root / "training.log").write_bytes(b"")
    return root
