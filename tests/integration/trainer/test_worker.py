"""Training on real workers that go away in the middle, with a real object store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from splatworks.v1 import common_pb2, trainer_pb2
from splatworks_common.artifacts.live import live_uri
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.progress import silent
from splatworks_common.reasons import Reason
from splatworks_trainer.config import STANDARD
from splatworks_trainer.preview import PREVIEW_NAME
from splatworks_trainer.train import train
from tests.integration.trainer.lost_work import lose
from tests.integration.trainer.workers import PATIENCE_SECONDS, STEPS_BEFORE, Worker, eventually, worker

pytestmark = pytest.mark.timeout(600)

OPTIONS = replace(STANDARD, max_steps=1500, max_gaussians=1000, checkpoint_seconds=5)


@pytest.fixture(scope="module")
def photos(object_store: StoreSettings, capture: Path) -> S3Uri:
    uri = S3Uri(object_store.bucket, f"tests/{uuid.uuid4().hex}/colmap")
    with ArtifactStore(object_store) as store:
        store.upload_directory(capture, uri)
    return uri


@pytest.fixture(scope="module")
def uninterrupted(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The SHA-256 of the model that comes out of a run without a break."""
    output = tmp_path_factory.mktemp("uninterrupted")
    train(capture, output, OPTIONS, silent, 1)
    return hashlib.sha256((output / "model.ply").read_bytes()).hexdigest()


@pytest.fixture
def store(object_store: StoreSettings) -> Iterator[ArtifactStore]:
    with ArtifactStore(object_store) as store:
        yield store


def request_for(
    photos: S3Uri,
    output: S3Uri,
    attempt: int,
    *,
    max_steps: int = OPTIONS.max_steps,
    checkpoint_seconds: int = OPTIONS.checkpoint_seconds,
) -> trainer_pb2.TrainRequest:
    return trainer_pb2.TrainRequest(
        request_id=f"job.train.{attempt}",
        colmap_uri=str(photos),
        output_uri=str(output),
        cache_policy=common_pb2.CACHE_POLICY_NEVER,
        options=trainer_pb2.TrainOptions(
            max_steps=max_steps,
            max_gaussians=OPTIONS.max_gaussians,
            checkpoint_seconds=checkpoint_seconds,
        ),
    )


def kept(store: ArtifactStore, output: S3Uri) -> list[str]:
    return [entry.key for entry in store.list_objects(S3Uri(output.bucket, f"{output.key}.checkpoint"))]


async def frozen(process: psutil.Process, seconds: float) -> None:
    """Stops a process for a time, so that it is due to save however fast the machine trains."""
    process.suspend()
    end = time.monotonic() + seconds
    await eventually(lambda: time.monotonic() > end)
    process.resume()


async def assert_another_goes_on(
    start: Callable[[], Awaitable[Worker]],
    request: trainer_pb2.TrainRequest,
    store: ArtifactStore,
    model: str,
) -> None:
    """The next attempt, on another worker, goes on, and ends with the very model of a run without a break."""
    second = await start()
    name = (await second.client.start(request)).name
    resumed = await second.until(name, lambda state: "resumed_from_step" in state.progress.metrics)
    state = await second.client.wait(name, PATIENCE_SECONDS)
    assert resumed.progress.metrics["resumed_from_step"] >= STEPS_BEFORE
    assert state.response is not None
    artifacts = {artifact.path: artifact for artifact in state.response.result.artifacts}
    assert artifacts["model.ply"].sha256 == model
    output = S3Uri.parse(request.output_uri)
    events = [json.loads(line)["event"] for line in store.get_bytes(output / "training.log").splitlines()]
    assert events.count("resume") == 1
    assert events[0] == "start"
    assert kept(store, output) == []


async def test_a_killed_worker_s_training_goes_on_elsewhere_and_ends_with_the_same_bytes(
    object_store: StoreSettings,
    photos: S3Uri,
    prefix: S3Uri,
    store: ArtifactStore,
    tmp_path: Path,
    uninterrupted: str,
) -> None:
    output = prefix / "gaussian"
    async with contextlib.AsyncExitStack() as workers:
        first = await workers.enter_async_context(worker(object_store, tmp_path / "first"))
        await first.started(request_for(photos, output, 1))
        child = first.child()
        await frozen(child, OPTIONS.checkpoint_seconds)
        await eventually(lambda: any(key.endswith("/manifest.json") for key in kept(store, output)))
        first.process.kill()
        await eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)

        async def second() -> Worker:
            return await workers.enter_async_context(worker(object_store, tmp_path / "second"))

        await assert_another_goes_on(second, request_for(photos, output, 2), store, uninterrupted)


async def test_a_kill_repeats_only_what_came_after_the_last_checkpoint_that_was_stored(
    object_store: StoreSettings, photos: S3Uri, prefix: S3Uri, tmp_path: Path
) -> None:
    endless = [request_for(photos, prefix / "gaussian", attempt, max_steps=50_000) for attempt in (1, 2)]

    lost = await lose(object_store, tmp_path, endless[0], endless[1])

    assert lost.resumed_step == lost.stored_step
    assert 0 < lost.resumed_step <= lost.killed_step
    assert lost.stored_seconds >= OPTIONS.checkpoint_seconds


async def test_a_worker_told_to_stop_keeps_its_training_and_ends_it_as_preempted(
    object_store: StoreSettings,
    photos: S3Uri,
    prefix: S3Uri,
    store: ArtifactStore,
    tmp_path: Path,
    uninterrupted: str,
) -> None:
    output = prefix / "gaussian"
    async with contextlib.AsyncExitStack() as workers:
        first = await workers.enter_async_context(worker(object_store, tmp_path / "first"))
        name = await first.started(request_for(photos, output, 1))
        first.process.send_signal(signal.SIGTERM)
        state = await first.client.wait(name, PATIENCE_SECONDS)
        assert state.error is not None
        assert state.error.reason is Reason.PREEMPTED
        assert "goes on from there" in str(state.error)
        assert any(key.endswith("/manifest.json") for key in kept(store, output))
        assert await asyncio.to_thread(first.process.wait, PATIENCE_SECONDS) == 0

        async def second() -> Worker:
            return await workers.enter_async_context(worker(object_store, tmp_path / "second"))

        await assert_another_goes_on(second, request_for(photos, output, 2), store, uninterrupted)


async def test_a_picture_of_the_unfinished_model_can_be_polled(
    object_store: StoreSettings, photos: S3Uri, prefix: S3Uri, store: ArtifactStore, tmp_path: Path
) -> None:
    live = live_uri(prefix / "gaussian")
    async with worker(object_store, tmp_path / "worker") as first:
        name = await first.started(request_for(photos, prefix / "gaussian", 1, max_steps=50_000))
        await eventually(lambda: list(store.list_objects(live)))
        data = await asyncio.to_thread(store.get_bytes, live / PREVIEW_NAME)
        await first.client.cancel(name)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"


async def test_a_cancelled_training_leaves_no_process_and_no_checkpoint(
    object_store: StoreSettings, photos: S3Uri, prefix: S3Uri, store: ArtifactStore, tmp_path: Path
) -> None:
    async with worker(object_store, tmp_path / "worker") as first:
        name = await first.started(request_for(photos, prefix / "gaussian", 1, checkpoint_seconds=3600))
        child = first.child()
        await first.client.cancel(name)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        state = await first.client.get(name)
    assert state.error is not None
    assert state.error.reason is Reason.CANCELLED
    assert kept(store, prefix / "gaussian") == []
