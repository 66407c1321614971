"""One run on this machine, from photos to a scene: the store, the services, the job, the results on disk.

Everything a run needs to remember lies in ``OUT/.splatworks`` (the object store, with the results of earlier
runs, and logs), so deleting OUT forgets it all. Nothing keeps running when the session ends, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from splatworks_common.artifacts.settings import RetryPolicy
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.embedded_store import EmbeddedStore
from splatworks_common.reasons import StorageUnavailable
from splatworks_operator import photos as photos_module
from splatworks_operator.job import Job
from splatworks_operator.local.garbage import collect
from splatworks_operator.local.runner import LocalDriver, OnStatus
from splatworks_operator.local.workers import Workers, running
from splatworks_operator.requests import CALLS, output_uri
from splatworks_operator.results import check_replaceable, fetch
from splatworks_operator.spec import (
    CachePolicy,
    CompressOptions,
    Model,
    Profile,
    PublishOptions,
    SfmOptions,
    Source,
    SplatJobSpec,
    TrainOptions,
)
from splatworks_operator.status import JobStatus, Phase, StageName, StageState

_CHECK_SECONDS = 0.5
_PATIENCE = RetryPolicy(seconds=10.0)
"""For this process's own transfers: enough for the store to be started again, and short enough for Ctrl-C."""


class Choices(Model):
    """What of a SplatJob's spec a run on this machine may choose."""

    profile: Profile = Profile.STANDARD
    sfm: SfmOptions = SfmOptions()
    train: TrainOptions = TrainOptions()
    compress: CompressOptions = CompressOptions()


@dataclass(frozen=True)
class Request:
    """What a person asked for on the command line.

    Attributes:
        photos: A folder of photos, or a .zip of them.
        out: Where results go.
        slug: The scene's name in URLs.
        choices: How the scene is made.
        cache: Whether results of earlier runs into the same ``out`` may be reused.
        port: Port of the viewer; 0 picks a free one.
        threads: Threads of each stage.
    """

    photos: Path
    out: Path
    slug: str
    choices: Choices
    cache: bool
    port: int
    threads: int


class Session:
    """A store and four services that are ready for jobs; see ``open_session``."""

    def __init__(self, request: Request, store: ArtifactStore, workers: Workers, scratch: Path) -> None:
        self._request = request
        self._store = store
        self._workers = workers
        self._scratch = scratch

    async def run(self, on_status: OnStatus) -> JobStatus:
        """Runs the job and fetches what it made into ``out``.

        Raises:
            StageError: The photos could not be read, or the store failed. A failed stage is a status, not an
                error.
        """
        uid = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        job_uri = self._store.uri(f"jobs/{uid}")
        photos_uri = await asyncio.to_thread(self._upload, job_uri)
        choices = self._request.choices
        spec = SplatJobSpec(
            source=Source(uri=str(photos_uri)),
            profile=choices.profile,
            sfm=choices.sfm,
            train=choices.train,
            compress=choices.compress,
            publish=PublishOptions(title=self._request.slug.replace("-", " ").capitalize()),
            cache_policy=CachePolicy.REUSE if self._request.cache else CachePolicy.NEVER,
        )
        slug = self._request.slug
        job = Job(uid=uid, name=slug, spec=spec, output_uri=str(job_uri), slug=slug)
        status = await LocalDriver(self._workers).run(job, on_status)
        if status.phase is Phase.SUCCEEDED or not self._has_results():
            await asyncio.to_thread(self._fetch, job, status)
        return status

    async def viewer_url(self) -> str:
        """Where the scene can be seen while the session is open."""
        streamer = await self._workers.get(CALLS[StageName.PUBLISH].service)
        return f"http://{streamer.addresses['http']}/s/{self._request.slug}/"

    async def keep_serving(self) -> None:
        """Runs until it is cancelled; a streamer that dies is started again, under the same address."""
        while True:
            await self._workers.get(CALLS[StageName.PUBLISH].service)
            await asyncio.sleep(_CHECK_SECONDS)

    def _has_results(self) -> bool:
        """Whether an earlier run left results, which those of a failed run must not be mixed with."""
        return any((self._request.out / call.folder).exists() for call in CALLS.values())

    def _upload(self, job_uri: S3Uri) -> S3Uri:
        archive = self._request.photos
        if not archive.is_file():
            archive = self._scratch / "photos.zip"
            results = [self._request.out / call.folder for call in CALLS.values()]
            photos_module.pack(self._request.photos, archive, without=results)
        name = archive.name if re.fullmatch(r"[A-Za-z0-9._-]+", archive.name) else "photos.zip"
        uri = job_uri / "source" / name
        self._store.upload_file(archive, uri)
        return uri

    def _fetch(self, job: Job, status: JobStatus) -> None:
        for name in StageName:
            if status.stage(name).state is StageState.SUCCEEDED:
                target = self._request.out / CALLS[name].folder
                fetch(self._store, S3Uri.parse(output_uri(job, name)), target)


@contextlib.asynccontextmanager
async def open_session(request: Request) -> AsyncIterator[Session]:
    """Starts the store and the services, and ends them on the way out.

    Raises:
        StageError: There are no photos, ``out`` is in use by another run, or something does not start.
    """
    photos_module.check(request.photos)
    for call in CALLS.values():
        check_replaceable(request.out / call.folder)
    state = request.out / ".splatworks"
    logs = state / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        embedded = stack.enter_context(EmbeddedStore(state / "store"))
        scratch = state / "scratch"
        shutil.rmtree(
            scratch, ignore_errors=True
        )  # of a run that was killed; the store's lock keeps others out
        scratch.mkdir()
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        store = stack.enter_context(ArtifactStore(replace(embedded.settings, retry=_PATIENCE)))
        await asyncio.to_thread(collect, store)
        workers = Workers(
            logs,
            scratch=scratch / "operations",
            environment=embedded.settings.environment(),
            http_port=request.port,
            threads=request.threads,
        )
        closing = asyncio.Event()
        keeper = asyncio.create_task(_keep_alive(embedded, closing))
        try:
            async with running(workers):
                yield Session(request, store, workers, scratch)
        finally:
            closing.set()
            await keeper


async def _keep_alive(embedded: EmbeddedStore, closing: asyncio.Event) -> None:
    """Starts the store again when it dies; until it is back, its clients' retries bridge the gap."""
    while not closing.is_set():
        if not embedded.alive:
            with contextlib.suppress(
                StorageUnavailable
            ):  # tried again below; its clients say so if it stays gone
                await asyncio.to_thread(_restart, embedded)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), _CHECK_SECONDS)


def _restart(embedded: EmbeddedStore) -> None:
    embedded.stop()
    embedded.start()


def default_threads() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
