"""All that the drivers of jobs share, and what they need of each part: the seams that tests replace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.message import Message

from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.operations.client import OperationState
from splatworks_operator.explain import Event
from splatworks_operator.job import Job
from splatworks_operator.kube.api import Resource
from splatworks_operator.kube.artifacts import Artifacts
from splatworks_operator.kube.config import OperatorConfig
from splatworks_operator.kube.slots import SlotTable
from splatworks_operator.kube.splatjobs import Credentials
from splatworks_operator.status import JobStatus, StageName, WorkerRef


class Jobs(Protocol):
    """What a driver needs of the API server. Every method may raise ``ApiError``."""

    async def get(self, namespace: str, name: str) -> Resource | None:
        """The resource as it is now."""

    async def patch_status(
        self, namespace: str, name: str, version: str, changes: Mapping[str, Any]
    ) -> Resource:
        """Changes the status where the resource still has that version."""

    async def set_finalizers(
        self, namespace: str, name: str, version: str, finalizers: Sequence[str]
    ) -> Resource:
        """Sets what holds up the deletion where the resource still has that version."""

    async def delete(self, job: Job) -> None:
        """Deletes the job."""

    async def source_credentials(self, namespace: str, name: str) -> Credentials:
        """The keys that a Secret holds."""


class Workers(Protocol):
    """What a driver needs of the workers; see ``workers.WorkerCalls`` for what is raised."""

    async def start(self, stage: StageName, worker: WorkerRef, request: Message) -> OperationState[Any]:
        """Starts an attempt, or finds it."""

    async def get(self, stage: StageName, worker: WorkerRef, operation: str) -> OperationState[Any]:
        """The attempt as it is now."""

    async def wait(
        self, stage: StageName, worker: WorkerRef, operation: str, seconds: float
    ) -> OperationState[Any]:
        """The attempt once it is done, or as it is after so many seconds."""

    async def cancel(self, stage: StageName, worker: WorkerRef, operation: str) -> None:
        """Ends the attempt."""

    async def unpublish(self, worker: WorkerRef, slug: str) -> None:
        """Takes a scene off the web."""


class KnownWorkers(Protocol):
    """Which workers there are; see ``discovery.Discovery``."""

    def knows(self, worker: WorkerRef) -> bool:
        """Whether there may still be a process at the worker's address."""

    def of_stage(self, stage: StageName) -> list[WorkerRef]:
        """The workers of a stage that answer."""

    def ask_again(self, worker: WorkerRef) -> None:
        """Has a worker describe itself soon."""


class Observer(Protocol):
    """Hears what becomes of jobs: metrics, the log."""

    def written(self, job: Job, old: JobStatus, new: JobStatus) -> None:
        """A status was written over another."""


@dataclass(frozen=True)
class Platform:
    """All that drivers share.

    Attributes:
        config: What the operator was told.
        jobs: The API server.
        workers: Calls to workers.
        known: Which workers there are.
        slots: Who holds which.
        artifacts: The object store.
        post: Posts an event about a resource.
        observers: Hear what becomes of jobs.
        clock: Seconds since the epoch.
    """

    config: OperatorConfig
    jobs: Jobs
    workers: Workers
    known: KnownWorkers
    slots: SlotTable
    artifacts: Artifacts
    post: Callable[[Resource, Event], None]
    observers: tuple[Observer, ...]
    clock: Callable[[], float] = time.time

    @property
    def default_output(self) -> S3Uri:
        """Under which a job without an output address gets its folder."""
        return S3Uri(self.artifacts.bucket, "jobs")
