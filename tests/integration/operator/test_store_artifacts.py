"""What the operator does with a job's files, on a real store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from splatworks_common.artifacts.manifest import Manifest
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid
from splatworks_operator import pipeline
from splatworks_operator.job import Job
from splatworks_operator.kube.acting import Actor
from splatworks_operator.kube.artifacts import StoreArtifacts
from splatworks_operator.kube.attempt import Attempt
from splatworks_operator.kube.platform import Platform
from splatworks_operator.pipeline import DeleteIntermediates
from splatworks_operator.requests import CALLS
from splatworks_operator.spec import SplatJobSpec
from splatworks_operator.status import JobStatus

_FOLDERS = {call.folder for call in CALLS.values()}


@pytest.fixture
def store(object_store: StoreSettings) -> Iterator[ArtifactStore]:
    with ArtifactStore(object_store) as opened:
        yield opened


@pytest.fixture
def artifacts(object_store: StoreSettings) -> StoreArtifacts:
    return StoreArtifacts(object_store)


@pytest.fixture
def job(store: ArtifactStore, prefix: S3Uri) -> Job:
    """A job with a file in the folder of each stage, and photos that are its own."""
    for folder in _FOLDERS | {"source"}:
        store.put_bytes(S3Uri(prefix.bucket, f"{prefix.key}/uid/{folder}/file"), b"...")
    spec = SplatJobSpec.model_validate({"source": {"uri": "s3://photos/fox"}})
    return Job("uid", "fox", spec, f"{prefix}/uid", slug="fox")


def _left(store: ArtifactStore, job: Job) -> set[str]:
    uri = S3Uri.parse(job.output_uri)
    return {entry.key.removeprefix(f"{uri.key}/").partition("/")[0] for entry in store.list_objects(uri)}


async def _delete(artifacts: StoreArtifacts, job: Job) -> None:
    """Deletes a job that has begun: one that never did has no files."""
    actor, status = _actor(artifacts), JobStatus()
    status = status.with_stage(replace(status.stages[0], attempt=1))
    for action in pipeline.delete(job, status):
        await actor.carry_out(action, job, status)


def _actor(artifacts: StoreArtifacts) -> Actor:
    platform = cast(Platform, SimpleNamespace(artifacts=artifacts))
    return Actor(platform, Attempt(platform))


def _with_policy(job: Job, **policy: str) -> Job:
    return replace(
        job, spec=SplatJobSpec.model_validate({"source": job.spec.source, "artifactPolicy": policy})
    )


async def test_a_stage_without_a_manifest_is_not_finished(artifacts: StoreArtifacts, job: Job):
    assert await artifacts.manifest(f"{job.output_uri}/colmap") is None


async def test_a_finished_stage_shows_the_manifest_that_it_committed(
    artifacts: StoreArtifacts, store: ArtifactStore, job: Job
):
    manifest = Manifest("sfm", "1", "0" * 64, [], datetime.now(UTC), 1.0, {"registered_images": 12.0})
    store.commit(manifest, S3Uri.parse(f"{job.output_uri}/colmap"))
    found = await artifacts.manifest(f"{job.output_uri}/colmap")
    assert found is not None
    assert found.metrics == {"registered_images": 12.0}


async def test_a_manifest_that_can_not_be_read_is_said_to_be_so(
    artifacts: StoreArtifacts, store: ArtifactStore, job: Job
):
    store.put_bytes(S3Uri.parse(f"{job.output_uri}/colmap/manifest.json"), b"{")
    with pytest.raises(InputInvalid):
        await artifacts.manifest(f"{job.output_uri}/colmap")


async def test_deleting_a_prefix_leaves_what_only_begins_like_it(
    artifacts: StoreArtifacts, store: ArtifactStore, job: Job
):
    neighbour = S3Uri.parse(f"{job.output_uri}-of-another/file")
    store.put_bytes(neighbour, b"...")
    assert await artifacts.delete(job.output_uri) == len(_FOLDERS) + 1
    assert await artifacts.delete(job.output_uri) == 0
    assert store.get_bytes(neighbour) == b"..."


async def test_a_deleted_job_takes_all_of_its_files(
    artifacts: StoreArtifacts, store: ArtifactStore, job: Job
):
    await _delete(artifacts, _with_policy(job, onDelete="Delete"))
    assert _left(store, job) == set()


async def test_a_deleted_job_that_retains_its_files_leaves_them_all(
    artifacts: StoreArtifacts, store: ArtifactStore, job: Job
):
    await _delete(artifacts, _with_policy(job, onDelete="Retain"))
    assert _left(store, job) == _FOLDERS | {"source"}


async def test_intermediates_are_what_only_later_stages_needed(
    artifacts: StoreArtifacts, store: ArtifactStore, job: Job
):
    await _actor(artifacts).carry_out(DeleteIntermediates(), job, JobStatus())
    assert _left(store, job) == {"compressed", "published", "source"}
