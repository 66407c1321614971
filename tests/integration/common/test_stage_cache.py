"""The stage cache: a hit is a whole artifact, everything else is a miss."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from splatworks_common.artifacts.cache import CacheHit, StageCache
from splatworks_common.artifacts.manifest import Manifest, input_digest
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri


@pytest.fixture
def cache(store: ArtifactStore) -> StageCache:
    return StageCache(store)


@pytest.fixture
def artifact(store: ArtifactStore, prefix: S3Uri, folder: Path) -> Manifest:
    """A finished artifact of stage ``sfm`` at ``prefix``, with an input digest of its own."""
    manifest = Manifest(
        stage="sfm",
        stage_version="1",
        input_digest=input_digest("sfm", "1", [prefix.key], {}),
        files=store.upload_directory(folder, prefix),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1.0,
    )
    store.commit(manifest, prefix)
    return manifest


def test_nothing_published_is_a_miss(cache: StageCache, artifact: Manifest) -> None:
    assert cache.lookup("sfm", artifact.input_digest) is None


def test_what_was_published_is_found(cache: StageCache, artifact: Manifest, prefix: S3Uri) -> None:
    cache.publish(artifact, prefix)

    assert cache.lookup("sfm", artifact.input_digest) == CacheHit(prefix, artifact)


def test_another_stage_does_not_find_it(cache: StageCache, artifact: Manifest, prefix: S3Uri) -> None:
    cache.publish(artifact, prefix)

    assert cache.lookup("trainer", artifact.input_digest) is None


def test_the_last_to_publish_stands(
    store: ArtifactStore, cache: StageCache, artifact: Manifest, prefix: S3Uri
) -> None:
    store.copy_prefix(prefix, prefix / "copy", artifact.files)
    store.commit(artifact, prefix / "copy")

    cache.publish(artifact, prefix)
    cache.publish(artifact, prefix / "copy")

    assert cache.lookup("sfm", artifact.input_digest) == CacheHit(prefix / "copy", artifact)


@pytest.mark.parametrize("gone", ["manifest.json", "model.ply", "sparse/cameras.bin"])
def test_an_artifact_that_is_no_longer_whole_is_a_miss(
    store: ArtifactStore, cache: StageCache, artifact: Manifest, prefix: S3Uri, folder: Path, gone: str
) -> None:
    cache.publish(artifact, prefix)
    store.delete_prefix(prefix)
    for path in folder.rglob("*.*"):
        if path.relative_to(folder).as_posix() != gone:
            store.upload_file(path, prefix / path.relative_to(folder).as_posix())
    if gone != "manifest.json":
        store.commit(artifact, prefix)

    assert cache.lookup("sfm", artifact.input_digest) is None


def test_a_file_of_another_size_is_a_miss(
    store: ArtifactStore, cache: StageCache, artifact: Manifest, prefix: S3Uri
) -> None:
    cache.publish(artifact, prefix)
    store.put_bytes(prefix / "model.ply", b"short")

    assert cache.lookup("sfm", artifact.input_digest) is None


def test_an_artifact_made_again_from_other_input_is_a_miss(
    store: ArtifactStore, cache: StageCache, artifact: Manifest, prefix: S3Uri
) -> None:
    cache.publish(artifact, prefix)
    other = input_digest("sfm", "2", [prefix.key], {})
    store.put_bytes(
        store.uri(f"cache/sfm/{other}"), store.get_bytes(store.uri(f"cache/sfm/{artifact.input_digest}"))
    )

    assert cache.lookup("sfm", other) is None


@pytest.mark.parametrize(
    "pointer", [b"", b"[]", b'"x"', b"{}", b'{"uri": 5}', b'{"uri": "file:///etc"}', b"\xff"]
)
def test_a_pointer_that_cannot_be_read_is_a_miss(
    store: ArtifactStore, cache: StageCache, artifact: Manifest, pointer: bytes
) -> None:
    store.put_bytes(store.uri(f"cache/sfm/{artifact.input_digest}"), pointer)

    assert cache.lookup("sfm", artifact.input_digest) is None
