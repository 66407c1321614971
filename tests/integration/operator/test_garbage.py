"""What the local store forgets at the start of a run, on a real store."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_operator.local.garbage import collect


@pytest.fixture
def store(object_store: StoreSettings) -> Iterator[ArtifactStore]:
    """A store with a bucket of its own, and one job that nothing points into."""
    with ArtifactStore(replace(object_store, bucket=f"test-{uuid.uuid4().hex[:12]}")) as opened:
        opened.ensure_bucket()
        opened.put_bytes(opened.uri("jobs/lost/colmap/report.json"), b"{}")
        yield opened


def keys(store: ArtifactStore) -> list[str]:
    return [entry.key for entry in store.list_objects(store.uri("jobs"))]


def test_a_job_that_nothing_points_into_is_forgotten(store):
    assert collect(store) == 1
    assert keys(store) == []


@pytest.mark.parametrize("pointer", ["cache/sfm/abc", "scenes/fox/scene.json"])
def test_a_job_that_the_cache_or_a_scene_points_into_is_kept(store, pointer):
    store.put_bytes(store.uri("jobs/kept/colmap/report.json"), b"{}")
    record = json.dumps({"version": 1, "uri": str(store.uri("jobs/kept/colmap"))})
    store.put_bytes(store.uri(pointer), record.encode())
    assert collect(store) == 1
    assert keys(store) == ["jobs/kept/colmap/report.json"]


def test_the_photos_of_a_kept_job_are_forgotten(store):
    store.put_bytes(store.uri("jobs/kept/colmap/report.json"), b"{}")
    store.put_bytes(store.uri("jobs/kept/source/photos.zip"), b"photos")
    store.put_bytes(
        store.uri("cache/sfm/abc"), json.dumps({"uri": str(store.uri("jobs/kept/colmap"))}).encode()
    )
    collect(store)
    assert keys(store) == ["jobs/kept/colmap/report.json"]


def test_a_pointer_that_can_not_be_read_keeps_nothing(store):
    store.put_bytes(store.uri("cache/sfm/abc"), b"not json")
    assert collect(store) == 1
