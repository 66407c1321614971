"""Takes one SplatJob through the pipeline: look, decide, act, write. Knows no kopf and no cluster.

``pipeline.reconcile`` decides; this module sees, carries out and remembers. A step may be killed at any
point:

- ``Cancel`` is carried out before the new status is written, ``Start`` after. What was lost in between is
  decided again, and decided alike.
- A status is only written over the version it was decided from. A driver that has been replaced by another
  replica's therefore can not write, and so can not start anything.
- An attempt belongs to one process, named by its instance: where that is gone, starting the attempt again
  anywhere else is refused by the worker, and the manifest alone says whether it had finished.

Invariant: after a step the slot table shows what the status says.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pydantic
from google.protobuf.message import Message

from splatworks.v1 import sfm_pb2
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.operations.client import OperationState
from splatworks_common.reasons import InputInvalid, StageError
from splatworks_operator import observing, pipeline, resource
from splatworks_operator.explain import Event, events, worth_writing
from splatworks_operator.job import Job
from splatworks_operator.kube.admission import refusal
from splatworks_operator.kube.api import ApiError, Resource
from splatworks_operator.kube.artifacts import Artifacts
from splatworks_operator.kube.config import OperatorConfig
from splatworks_operator.kube.schedule import seconds_until_next_look
from splatworks_operator.kube.slots import SlotTable
from splatworks_operator.kube.splatjobs import Credentials, to_job
from splatworks_operator.kube.workers import ProcessGone, UnknownOperation, Unreachable
from splatworks_operator.pipeline import (
    Action,
    Cancel,
    DeleteArtifacts,
    DeleteIntermediates,
    DeleteJob,
    Failure,
    Observation,
    Start,
)
from splatworks_operator.queueing import Waiting
from splatworks_operator.requests import CALLS, output_uri
from splatworks_operator.status import JobStatus, StageName, StageState, StageStatus, WorkerRef

log = logging.getLogger(__name__)

_UNREACHABLE_SECONDS = 90.0
"""A worker that does not answer for so long has lost what it ran."""

_SHORTEST_PAUSE = 0.1
_OWN_VERSIONS = 16
"""How many of its own last writes a driver recognises when a watch shows them."""

_INTERMEDIATES = (StageName.SFM, StageName.TRAIN)


class Jobs(Protocol):
    """What the driver needs of the API server. Every method may raise ``ApiError``."""

    async def get(self, namespace: str, name: str) -> Resource | None:
        """The resource as it is now."""

    async def patch_status(
        self, namespace: str, name: str, version: str, changes: Mapping[str, Any]
    ) -> Resource:
        """Changes the status where the resource still has that version."""

    async def delete(self, job: Job) -> None:
        """Deletes the job."""

    async def source_credentials(self, namespace: str, name: str) -> Credentials:
        """The keys that a Secret holds."""


class Workers(Protocol):
    """What the driver needs of the workers; see ``workers.WorkerCalls`` for what is raised."""

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
    """Hears what becomes of jobs: metrics."""

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
        observer: Hears what becomes of jobs.
        clock: Seconds since the epoch.
    """

    config: OperatorConfig
    jobs: Jobs
    workers: Workers
    known: KnownWorkers
    slots: SlotTable
    artifacts: Artifacts
    post: Callable[[Resource, Event], None]
    observer: Observer
    clock: Callable[[], float] = time.time

    @property
    def default_output(self) -> S3Uri:
        """Under which a job without an output address gets its folder."""
        return S3Uri(self.artifacts.bucket, "jobs")


class JobGone(Exception):
    """The resource was deleted, or is another one of the same name."""


class NotYet(Exception):
    """Something outside must come right first; the message says what. Nothing is lost by trying again."""


class _Superseded(Exception):
    """Somebody else has changed the resource since it was decided upon."""


@dataclass
class JobDriver:
    """One job.

    Attributes:
        platform: What all drivers share.
        resource: The SplatJob as last seen.
        wake: Set when there may be something to do before the next look is due.
    """

    platform: Platform
    resource: Resource
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.status = self._written = resource.from_resource(self.resource.get("status") or {})
        self._written_at = time.monotonic()  # as good as: what has changed since can wait as long
        self._own_versions: deque[str] = deque(maxlen=_OWN_VERSIONS)
        self._job: Job | None = None
        self._heard: tuple[str, Observation] | None = None
        self._silent_since: float | None = None
        self._step = asyncio.Lock()
        self._closed = False
        self._note_hold()

    @property
    def uid(self) -> str:
        """The job's identity."""
        return str(self.resource["metadata"]["uid"])

    @property
    def name(self) -> str:
        """Namespace and name, for people."""
        metadata = self.resource["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}"

    def guarded_by(self, finalizer: str) -> bool:
        """Whether the resource stays until its finalizer is removed; before that nothing may run for it."""
        return finalizer in self.resource["metadata"].get("finalizers", ())

    @property
    def listens(self) -> bool:
        """Whether an attempt runs whose end can be waited for."""
        stage = self.status.current
        return stage is not None and stage.state is StageState.RUNNING and not self.status.phase.terminal

    @property
    def forced_to_go(self) -> bool:
        """Whether the resource may go although its files could not be deleted."""
        policy = self.resource["spec"].get("artifactPolicy") or {}
        return policy.get("forceFinalizerRemoval") is True

    @property
    def job(self) -> Job:
        """What is asked for, by the resource as last seen.

        Raises:
            pydantic.ValidationError: The spec is not one that this version knows.
        """
        generation = self.resource["metadata"].get("generation", 0)
        if self._job is None or self._job.generation != generation:
            self._job = to_job(
                self.resource,
                default_output=self.platform.default_output,
                viewer_base_url=self.platform.config.viewer_base_url,
            )
        return self._job

    def saw(self, seen: Resource) -> None:
        """Takes note of the resource as a watch shows it, which may be behind what this driver wrote."""
        metadata = seen["metadata"]
        version = metadata["resourceVersion"]
        if version in self._own_versions:
            return
        if metadata.get("generation", 0) < self.resource["metadata"].get("generation", 0):
            return
        # The status is this driver's own: what the watch shows of it is an echo.
        self.resource = {**seen, "status": self.resource.get("status") or seen.get("status") or {}}
        self.wake.set()

    async def step(self) -> float | None:
        """Does what there is to do now.

        Returns:
            In how many seconds to look again; None where only a change of the job can matter.

        Raises:
            JobGone: There is nothing to drive any more.
            NotYet: Something outside must come right first.
            ApiError, StageError: The same, of the API server and the object store.
        """
        async with self._step:
            if self._closed:
                return None
            self.wake.clear()
            before = self.status
            for action in await self._decide_and_write():
                await self._act(action)
            if self._heard is not None or _failed(before, self.status):
                return 0.0
            poll = self.platform.config.poll_seconds
            pause = seconds_until_next_look(self.job, self.status, self.platform.clock(), poll)
            return None if pause is None else max(pause, _SHORTEST_PAUSE)

    async def listen(self, seconds: float) -> None:
        """Waits until the running attempt is done, at most so long; cancel it when something else happens."""
        stage = self.status.current
        if stage is None or stage.worker is None or self._silent_since is not None:
            await asyncio.sleep(seconds)
            return
        started = time.monotonic()
        try:
            state = await self.platform.workers.wait(stage.name, stage.worker, stage.operation, seconds)
        except (Unreachable, UnknownOperation):
            # The next look asks again and decides what it means; not at once, though, if it comes early.
            await asyncio.sleep(min(seconds, max(0.0, 1.0 - (time.monotonic() - started))))
            return
        if (now := self.status.current) is not None and now.operation == stage.operation:
            self._heard = (stage.operation, observing.of_operation(state))

    async def close(self) -> None:
        """Ends the work on a deleted job: stops its attempt and removes its files by policy.

        Raises:
            NotYet, StageError: Something could not be removed now; call again.
        """
        async with self._step:
            self._closed = True
            try:
                actions = pipeline.delete(self.job, self.status)
            except pydantic.ValidationError as error:
                log.error("%s has a spec of another version and goes as it is: %s", self.name, error)
                actions = []
            for action in actions:
                await self._act(action)
            self.platform.slots.release(self.uid)

    def _note_hold(self) -> None:
        stage = self.status.current
        if self.status.phase.terminal or stage is None:
            return
        if stage.state is StageState.RUNNING and stage.worker is not None:
            self.platform.slots.hold(self.uid, stage.name, stage.worker)

    # Look and decide --------------------------------------------------------------------------------------

    async def _decide_and_write(self) -> list[Action]:
        """Returns what is to be done now that the status is written."""
        while True:
            status, actions = await self._decide()
            try:
                await self._write(status)
            except _Superseded:
                await self._catch_up()
            else:
                return actions

    async def _decide(self) -> tuple[JobStatus, list[Action]]:
        """The status as it should be, and what is to be done once it is written."""
        job, status = self.job, self.status
        now = int(self.platform.clock())
        refused = "" if status.phase.terminal else self._refusal(job)
        while True:
            observed = await self._look(job, status, refused, now)
            decided, actions = pipeline.reconcile(job, status, observed, now)
            for action in actions:
                if isinstance(action, Cancel | DeleteIntermediates):
                    await self._act(action)
            later = [action for action in actions if isinstance(action, Start | DeleteJob)]
            settled = _place(decided) == _place(status) or decided.phase.terminal
            # A failed attempt is written before the next is begun: its reason would be lost otherwise.
            if later or settled or _failed(status, decided):
                self._settle_slot(decided)
                return decided, list(later)
            status = decided

    def _refusal(self, job: Job) -> str:
        return refusal(self.platform.config, job.namespace, job.spec, self.platform.default_output)

    async def _look(self, job: Job, status: JobStatus, refused: str, now: int) -> Observation:
        stage = status.current
        if refused or stage is None or status.phase.terminal or job.spec.suspend or job.spec.terminate:
            return Observation(refused=refused)
        if stage.state is StageState.RUNNING:
            return await self._look_at_attempt(job, stage)
        waiting = Waiting(job.uid, stage.name, job.spec.priority, job.created, ready=stage.not_before <= now)
        offer, position = await self.platform.slots.ask(waiting, self.wake.set)
        return Observation(offer=offer, queue_position=position)

    async def _look_at_attempt(self, job: Job, stage: StageStatus) -> Observation:
        assert stage.worker is not None, "a running stage has a worker"
        heard, self._heard = self._heard, None
        if heard is not None and heard[0] == stage.operation:
            return heard[1]
        try:
            state = await self.platform.workers.get(stage.name, stage.worker, stage.operation)
        except UnknownOperation:
            self._silent_since = None
            return await self._finished(job, stage) or Observation()
        except Unreachable as error:
            return await self._silent(job, stage, stage.worker, str(error))
        self._silent_since = None
        return observing.of_operation(state)

    async def _silent(self, job: Job, stage: StageStatus, worker: WorkerRef, why: str) -> Observation:
        """Nobody answered: nothing has changed, until it has lasted too long or the worker is gone."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if self.platform.known.knows(worker) and now - self._silent_since < _UNREACHABLE_SECONDS:
            log.info("%s of %s: %s", stage.name, job.name, why)
            return Observation(progress=stage.progress)
        finished = await self._finished(job, stage)
        return finished or Observation(lost=f"Worker {worker.name} is gone or does not answer.")

    async def _finished(self, job: Job, stage: StageStatus) -> Observation | None:
        """What the manifest says, where the operation can not say it."""
        uri = output_uri(job, stage.name)
        try:
            manifest = await self.platform.artifacts.manifest(uri)
        except InputInvalid as error:  # the next attempt meets it too, and says so to the person
            log.error("%s: %s", self.name, error)
            return None
        return None if manifest is None else observing.of_manifest(manifest, uri)

    def _settle_slot(self, status: JobStatus) -> None:
        stage = status.current
        waits = stage is not None and stage.state is StageState.PENDING and not status.phase.terminal
        if stage is not None and stage.state is StageState.RUNNING and stage.worker is not None:
            self.platform.slots.hold(self.uid, stage.name, stage.worker)
        elif not waits or self.job.spec.suspend:
            self.platform.slots.release(self.uid)

    # Act ---------------------------------------------------------------------------------------------------

    async def _act(self, action: Action) -> None:
        job = self.job
        match action:
            case Start():
                await self._start(job, action)
            case Cancel():
                await self._cancel(action)
            case DeleteIntermediates():
                for stage in _INTERMEDIATES:
                    await self.platform.artifacts.delete(output_uri(job, stage))
            case DeleteArtifacts():
                await self._unpublish(job)
                await self.platform.artifacts.delete(job.output_uri)
            case DeleteJob():
                await self.platform.jobs.delete(job)

    async def _start(self, job: Job, action: Start) -> None:
        stage = self.status.stage(action.stage)
        self._heard = None
        try:
            request = await self._request(job, action)
            state = await self.platform.workers.start(action.stage, action.worker, request)
        except Unreachable as error:
            # Whether it was started is not known; the next look finds out.
            self._silent_since = self._silent_since or time.monotonic()
            self.platform.known.ask_again(action.worker)
            log.info("%s of %s may not have been started: %s", action.stage, job.name, error)
        except ProcessGone as error:
            self.platform.known.ask_again(action.worker)
            lost = await self._finished(job, stage) or Observation(lost=str(error))
            self._heard = (stage.operation, lost)
        except StageError as error:
            failed = Observation(failure=Failure(error.reason, str(error)))
            self._heard = (stage.operation, failed)
        else:
            self._silent_since = None
            if state.done:
                self._heard = (stage.operation, observing.of_operation(state))

    async def _request(self, job: Job, action: Start) -> Message:
        request = CALLS[action.stage].request(job, action.request_id)
        secret = job.spec.source.secret_ref
        if isinstance(request, sfm_pb2.ReconstructRequest) and secret is not None:
            keys = await self.platform.jobs.source_credentials(job.namespace, secret.name)
            request.photos_credentials.access_key = keys.access_key
            request.photos_credentials.secret_key = keys.secret_key
        return request

    async def _cancel(self, action: Cancel) -> None:
        try:
            await self.platform.workers.cancel(action.stage, action.worker, action.operation)
        except UnknownOperation:
            return  # never started, or long over
        except Unreachable as error:
            now = time.monotonic()
            self._silent_since = self._silent_since or now
            if self.platform.known.knows(action.worker) and now - self._silent_since < _UNREACHABLE_SECONDS:
                raise NotYet(
                    f"The attempt on {action.worker.name} can not be stopped yet: {error}"
                ) from error
            # The worker's own work has ended with it.

    async def _unpublish(self, job: Job) -> None:
        if self.status.stage(StageName.PUBLISH).attempt == 0:
            return
        streamers = self.platform.known.of_stage(StageName.PUBLISH)
        if not streamers:
            raise NotYet("No streamer answers that could take the scene off the web.")
        try:
            await self.platform.workers.unpublish(streamers[0], job.slug)
        except Unreachable as error:
            raise NotYet(f"The scene is not off the web yet: {error}") from error

    # Write -------------------------------------------------------------------------------------------------

    async def _write(self, status: JobStatus) -> None:
        self.status = status
        if not worth_writing(self._written, status, time.monotonic() - self._written_at):
            return
        changes = changed(self.resource.get("status") or {}, resource.to_resource(status))
        if changes:
            await self._patch(status, changes)
        old, self._written, self._written_at = self._written, status, time.monotonic()
        for event in events(old, status):
            self.platform.post(self.resource, event)
        self.platform.observer.written(self.job, old, status)

    async def _patch(self, status: JobStatus, changes: Mapping[str, Any]) -> None:
        metadata = self.resource["metadata"]
        where = metadata["namespace"], metadata["name"]
        try:
            fresh = await self.platform.jobs.patch_status(*where, metadata["resourceVersion"], changes)
        except ApiError as error:
            if error.not_found:
                raise JobGone(f"{metadata['name']} was deleted") from error
            if error.conflict:
                raise _Superseded from error
            raise
        self._adopt(fresh)

    async def _catch_up(self) -> None:
        """Somebody else has changed the resource: decide again from what it is now."""
        metadata = self.resource["metadata"]
        fresh = await self.platform.jobs.get(metadata["namespace"], metadata["name"])
        if fresh is None or fresh["metadata"]["uid"] != metadata["uid"]:
            raise JobGone(f"{metadata['name']} was deleted")
        self._adopt(fresh)
        self.status = self._written = resource.from_resource(fresh.get("status") or {})
        self._heard = None
        self._settle_slot(self.status)

    def _adopt(self, fresh: Resource) -> None:
        self._own_versions.append(fresh["metadata"]["resourceVersion"])
        self.resource = fresh


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that makes ``new`` of ``old``; empty where they are equal."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := changed(before, value):
                patch[key] = inner
        elif value != before:
            patch[key] = value
    return patch


def _place(status: JobStatus) -> tuple[object, ...]:
    """Where a job stands, progress aside."""
    stage = status.current
    return (status.phase, *((stage.name, stage.state, stage.attempt) if stage is not None else ()))


def _failed(old: JobStatus, new: JobStatus) -> bool:
    """Whether an attempt has ended between two statuses and another may follow."""
    before, after = old.current, new.current
    return (
        before is not None
        and after is not None
        and before.name is after.name
        and before.state is StageState.RUNNING
        and after.state is StageState.PENDING
        and not new.phase.terminal
    )
