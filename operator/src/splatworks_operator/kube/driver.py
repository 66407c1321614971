"""Takes one SplatJob through the pipeline: look, decide, act, write. Knows no kopf and no cluster.

``pipeline.reconcile`` decides. ``attempt`` sees, ``acting`` carries out, ``record`` remembers; this module
brings them into their order, in which a step may be killed at any point: ``Cancel`` is carried out before the
new status is written, ``Start`` after. What was lost in between is decided again, and decided alike.

Invariant: after a step the slot table shows what the status says.
"""

from __future__ import annotations

import asyncio

from splatworks_operator import pipeline
from splatworks_operator.job import Job
from splatworks_operator.kube.acting import Actor
from splatworks_operator.kube.admission import refusal
from splatworks_operator.kube.api import Resource
from splatworks_operator.kube.attempt import Attempt
from splatworks_operator.kube.platform import Platform
from splatworks_operator.kube.record import Record, Superseded
from splatworks_operator.kube.schedule import seconds_until_next_look
from splatworks_operator.pipeline import (
    Action,
    Cancel,
    DeleteIntermediates,
    DeleteJob,
    Observation,
    Start,
)
from splatworks_operator.queueing import Waiting
from splatworks_operator.status import JobStatus, StageState

_SHORTEST_PAUSE = 0.1


class JobDriver:
    """One job.

    Args:
        platform: What all drivers share.
        found: The SplatJob.

    Attributes:
        wake: Set when there may be something to do before the next look is due.
    """

    def __init__(self, platform: Platform, found: Resource) -> None:
        self.wake = asyncio.Event()
        self._platform = platform
        self._record = Record(platform, found)
        self._attempt = Attempt(platform)
        self._actor = Actor(platform, self._attempt)
        self._step = asyncio.Lock()
        self._closed = False
        self._judged: tuple[Job, str] | None = None
        if not self.status.phase.terminal:
            self._hold_slot(self.status)

    @property
    def resource(self) -> Resource:
        """The SplatJob as last seen."""
        return self._record.resource

    @property
    def status(self) -> JobStatus:
        """Its status as last decided."""
        return self._record.status

    @property
    def name(self) -> str:
        """Namespace and name, for people."""
        return self._record.name

    def guarded_by(self, finalizer: str) -> bool:
        """Whether the resource stays until its finalizer is removed; before that nothing may run for it."""
        return finalizer in self.resource["metadata"].get("finalizers", ())

    async def guard(self, finalizer: str) -> None:
        """Has the resource stay until the finalizer is removed; not one that is on its way out.

        Raises:
            ApiError: It can not be had so now.
        """
        async with self._step:
            if not self.guarded_by(finalizer) and "deletionTimestamp" not in self.resource["metadata"]:
                await self._record.guard(finalizer)
                self.wake.set()

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

    def saw(self, seen: Resource) -> None:
        """Takes note of the resource as a watch shows it."""
        if self._record.saw(seen):
            self.wake.set()

    def knows(self, version: str) -> bool:
        """Whether a version of the resource was read or written here already."""
        return self._record.knows(version)

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
            if self._attempt.has_news(self.status.current) or _failed(before, self.status):
                return 0.0
            poll = self._platform.config.poll_seconds
            pause = seconds_until_next_look(self._record.job, self.status, self._platform.clock(), poll)
            return None if pause is None else max(pause, _SHORTEST_PAUSE)

    async def listen(self, seconds: float) -> None:
        """Waits until the running attempt is done, at most so long; cancel it when something else happens."""
        stage = self.status.current
        if stage is None:
            await asyncio.sleep(seconds)
        else:
            await self._attempt.listen(stage, seconds)

    async def close(self) -> None:
        """Ends the work on a deleted job: stops its attempt and removes its files by policy.

        Raises:
            NotYet, StageError: Something could not be removed now; call again.
            pydantic.ValidationError: The spec is not one that this version knows.
        """
        async with self._step:
            self._closed = True
            for action in pipeline.delete(self._record.job, self.status):
                await self._act(action)
            self._platform.slots.release(self._record.uid)

    async def let_go(self) -> None:
        """Ends the work on a deleted job without regard to what it leaves behind."""
        async with self._step:
            self._closed = True
            self._platform.slots.release(self._record.uid)

    async def complain(self, reason: str, message: str) -> None:
        """Tells the job's owner, once for each message, what holds the job up.

        Raises:
            JobGone, ApiError: It can not be told.
        """
        async with self._step:
            await self._record.complain(reason, message)

    async def _act(self, action: Action) -> None:
        await self._actor.carry_out(action, self._record.job, self.status)

    # Look and decide --------------------------------------------------------------------------------------

    async def _decide_and_write(self) -> list[Action]:
        """Returns what is to be done now that the status is written."""
        if await self._record.refresh():
            self._begin_anew()
        while True:
            status, actions = await self._decide()
            try:
                await self._record.write(status)
            except Superseded:
                await self._record.catch_up()
                self._begin_anew()
            else:
                return actions

    def _begin_anew(self) -> None:
        """The status is another than the one that was known here."""
        self._attempt.forget_news()
        self._settle_slot(self.status)

    async def _decide(self) -> tuple[JobStatus, list[Action]]:
        """The status as it should be, and what is to be done once it is written."""
        job, status = self._record.job, self.status
        now = int(self._platform.clock())
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
        """Why the platform does not allow the spec; judged once for each."""
        if self._judged is None or self._judged[0] is not job:
            config, output = self._platform.config, self._platform.default_output
            self._judged = job, refusal(config, job.namespace, job.spec, output)
        return self._judged[1]

    async def _look(self, job: Job, status: JobStatus, refused: str, now: int) -> Observation:
        stage = status.current
        if refused or stage is None or status.phase.terminal or job.spec.suspend or job.spec.terminate:
            return Observation(refused=refused)
        if stage.state is StageState.RUNNING:
            return await self._attempt.look(job, stage)
        waiting = Waiting(job.uid, stage.name, job.spec.priority, job.created, ready=stage.not_before <= now)
        offer, position = await self._platform.slots.ask(waiting, self.wake.set)
        return Observation(offer=offer, queue_position=position)

    # Slots -------------------------------------------------------------------------------------------------

    def _settle_slot(self, status: JobStatus) -> None:
        stage = status.current
        waits = stage is not None and stage.state is StageState.PENDING and not status.phase.terminal
        if not self._hold_slot(status) and (not waits or self._record.job.spec.suspend):
            self._platform.slots.release(self._record.uid)

    def _hold_slot(self, status: JobStatus) -> bool:
        """Notes the slot that a running stage has; tells whether there is one."""
        stage = status.current
        if stage is None or stage.state is not StageState.RUNNING or stage.worker is None:
            return False
        self._platform.slots.hold(self._record.uid, stage.name, stage.worker)
        return True


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
