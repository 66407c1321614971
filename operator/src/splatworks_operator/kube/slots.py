"""Who holds which worker, for all jobs of the operator: what ``queueing.assign`` decides, remembered.

A job holds a slot from the moment it is offered one until its stage is over, whether or not its status has
been written yet. After a restart the holds come from the statuses of running jobs, all of which are seen
before the first slot is given. Belongs to one event loop.

Invariants: a worker is held by no more jobs than its capacity, unless it has come to have less; a job holds
at most one slot, and does not wait while it does.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from splatworks_operator.queueing import Slots, Waiting, assign
from splatworks_operator.status import StageName, WorkerRef


@dataclass(frozen=True)
class Capacity:
    """What one worker offers.

    Attributes:
        worker: The worker.
        stage: What it does.
        slots: How many operations it runs at a time.
        open: False while it takes no new ones: it is not ready, or it drains.
    """

    worker: WorkerRef
    stage: StageName
    slots: int
    open: bool = True


@dataclass(frozen=True)
class Hold:
    """A slot that a job has."""

    stage: StageName
    worker: WorkerRef


@dataclass(frozen=True)
class _Queued:
    waiting: Waiting
    since: float
    wake: Callable[[], None]


_Process = tuple[str, str]
"""A worker's name and instance."""


def _process(worker: WorkerRef) -> _Process:
    return worker.name, worker.instance


class SlotTable:
    """The slots of all workers, and the jobs that hold them or wait for them."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._workers: dict[str, Capacity] = {}
        self._holds: dict[str, Hold] = {}
        self._taken: Counter[_Process] = Counter()  # the holds by process, which every pass needs
        self._queue: dict[str, _Queued] = {}
        self._positions: Mapping[str, int] = {}
        self._pass: asyncio.Future[None] | None = None

    @property
    def workers(self) -> list[Capacity]:
        """What the workers offer."""
        return list(self._workers.values())

    @property
    def holds(self) -> list[Hold]:
        """The slots that are taken."""
        return list(self._holds.values())

    def waits(self) -> list[tuple[StageName, float]]:
        """The stage that each waiting job waits for, and for how many seconds it has."""
        now = self._clock()
        return [(queued.waiting.stage, now - queued.since) for queued in list(self._queue.values())]

    def set_workers(self, workers: Iterable[Capacity]) -> None:
        """Replaces what is known of the workers."""
        self._workers = {capacity.worker.name: capacity for capacity in workers}
        self._assign_soon()

    def hold(self, uid: str, stage: StageName, worker: WorkerRef) -> None:
        """The job runs on the worker, as its status says."""
        self._queue.pop(uid, None)
        self._take(uid, Hold(stage, worker))

    def release(self, uid: str) -> None:
        """The job neither holds a slot nor waits for one."""
        self._queue.pop(uid, None)
        if self._give_back(uid):
            self._assign_soon()

    async def ask(self, waiting: Waiting, wake: Callable[[], None]) -> tuple[WorkerRef | None, int | None]:
        """Asks for a slot for a job's stage, and goes on asking until ``release``.

        Args:
            waiting: The job and what it waits for.
            wake: Called when the job is given a slot later; it then asks again to learn which.

        Returns:
            The worker, or the job's place in the queue.
        """
        uid = waiting.uid
        held = self._holds.get(uid)
        if held is not None and held.stage is waiting.stage and waiting.ready and self._is_open(held):
            return held.worker, None
        if held is not None:
            self.release(uid)
        before = self._queue.get(uid)
        since = before.since if before and before.waiting.stage is waiting.stage else self._clock()
        self._queue[uid] = _Queued(waiting, since, wake)
        await asyncio.shield(self._assign_soon())
        given = self._holds.get(uid)
        return (None, self._positions.get(uid)) if given is None else (given.worker, None)

    def _take(self, uid: str, hold: Hold) -> None:
        self._give_back(uid)
        self._holds[uid] = hold
        self._taken[_process(hold.worker)] += 1

    def _give_back(self, uid: str) -> bool:
        """Ends a job's hold; tells whether there was one."""
        hold = self._holds.pop(uid, None)
        if hold is None:
            return False
        process = _process(hold.worker)
        self._taken[process] -= 1
        if not self._taken[process]:
            del self._taken[process]  # processes come and go for ever
        return True

    def _is_open(self, held: Hold) -> bool:
        known = self._workers.get(held.worker.name)
        return known is not None and known.open and known.worker == held.worker

    def _assign_soon(self) -> asyncio.Future[None]:
        """One pass for everything that happens in one turn of the event loop; done once the pass is."""
        if self._pass is None:
            loop = asyncio.get_running_loop()
            self._pass = loop.create_future()
            loop.call_soon(self._assign)
        return self._pass

    def _assign(self) -> None:
        done, self._pass = self._pass, None
        free = [
            Slots(known.worker, known.stage, known.slots - self._taken[_process(known.worker)])
            for known in self._workers.values()
            if known.open
        ]
        assignment = assign(
            (queued.waiting for queued in self._queue.values()), (slots for slots in free if slots.free > 0)
        )
        self._positions = assignment.positions
        for uid, worker in assignment.offers.items():
            queued = self._queue.pop(uid)
            self._take(uid, Hold(queued.waiting.stage, worker))
            queued.wake()
        if done is not None:
            done.set_result(None)
