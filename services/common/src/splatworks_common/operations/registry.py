"""The operations of one server: which run, which have ended, and how many more may start.

Invariants: a ``request_id`` never runs twice; at most ``capacity`` operations run at a time; a finished
    operation
never changes; every child process is gone before its operation is done. All methods belong to one event loop.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from splatworks_common import reasons
from splatworks_common.operations.child import Child, Job, Response
from splatworks_common.operations.meter import NOT_STARTED, Meter, Reading
from splatworks_common.progress import Update
from splatworks_common.stages import Steps

REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What a ``request_id`` must match: it becomes part of the operation's name and of a directory's."""

_REMEMBERED_IDS = 100_000


class RequestIdReused(Exception):
    """The ``request_id`` already stands for another request, or for one whose operation was forgotten."""


class UnknownOperation(Exception):
    """There is no operation of that name here: never was, or it has expired."""


class OperationRunning(Exception):
    """Only a finished operation can be deleted."""


class Draining(Exception):
    """The server is stopping and takes no new work."""


@dataclass
class Operation:
    """One operation.

    Attributes:
        name: "operations/{request_id}".
        stage: The stage's name ("sfm").
        request_id: The id the caller gave.
        created, ended: Seconds since the epoch; ``ended`` is None while it runs.
        update: The latest report, None before the first.
        reading: Percent and time left at that report.
        result: The response, the error, or None while it runs.
    """

    name: str
    stage: str
    request_id: str
    request: bytes
    created: float
    update: Update | None = None
    reading: Reading = NOT_STARTED
    ended: float | None = None
    result: Response | reasons.StageError | None = None
    _task: asyncio.Task[None] | None = field(default=None, repr=False)
    _stop_reason: reasons.StageError | None = None

    @property
    def done(self) -> bool:
        """True once there is a result."""
        return self.result is not None


Observer = Callable[[Operation], None]
"""Called when an operation starts and when it ends: metrics and logs."""


class OperationRegistry:
    """Starts, watches, cancels and forgets operations.

    Args:
        capacity: Operations that may run at a time.
        scratch: Directory under which every running operation gets one of its own.
        ttl_seconds: How long a finished operation can still be asked for.
        observer: Told of every start and end.
    """

    def __init__(
        self, *, capacity: int, scratch: Path, ttl_seconds: float, observer: Observer = lambda operation: None
    ) -> None:
        self.capacity = capacity
        self._scratch = scratch
        self._ttl_seconds = ttl_seconds
        self._observer = observer
        self._operations: OrderedDict[str, Operation] = OrderedDict()
        self._used_ids: OrderedDict[str, None] = OrderedDict()
        self._draining = False

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return sum(not operation.done for operation in self._operations.values())

    def start(
        self, stage: str, steps: Steps, request_id: str, job: Job, timeout_seconds: float | None
    ) -> Operation:
        """Starts ``job``, or returns the operation that this very request started before.

        ``job.scratch`` is replaced by a directory of the operation's own.

        Raises:
            InvalidField: ``request_id`` is missing or malformed.
            RequestIdReused: The id stands for another request.
            NoFreeSlot: All slots are taken.
            Draining: The server is stopping.
        """
        if not REQUEST_ID.fullmatch(request_id):
            raise reasons.InvalidField("request_id", f"{request_id!r} does not match {REQUEST_ID.pattern}")
        self._forget_expired()
        name = f"operations/{request_id}"
        known = self._operations.get(name)
        if known is not None:
            if known.request != job.request or known.stage != stage:
                raise RequestIdReused(f"request_id {request_id} was used for another request; use a new one")
            return known
        if request_id in self._used_ids:
            raise RequestIdReused(
                f"request_id {request_id} was used before and its operation is gone; use a new one"
            )
        if self._draining:
            raise Draining("This worker is stopping; ask another one.")
        if self.running >= self.capacity:
            raise reasons.NoFreeSlot(f"All {self.capacity} slots of this worker are taken; try again later.")
        operation = Operation(name, stage, request_id, job.request, created=time.time())
        self._operations[name] = operation
        self._used_ids[request_id] = None
        if len(self._used_ids) > _REMEMBERED_IDS:
            self._used_ids.popitem(last=False)
        own_job = replace(job, scratch=self._scratch / request_id)
        operation._task = asyncio.create_task(self._run(operation, steps, own_job, timeout_seconds))
        self._observer(operation)
        return operation

    def get(self, name: str) -> Operation:
        """The operation of that name.

        Raises:
            UnknownOperation: There is none, or it has expired.
        """
        self._forget_expired()
        if name not in self._operations:
            raise UnknownOperation(f"There is no operation {name!r} here, or it has expired.")
        return self._operations[name]

    def list(self, page_size: int, after: str = "") -> list[Operation]:
        """Up to ``page_size`` operations, newest first, that come after the one named ``after``."""
        self._forget_expired()
        newest_first = [self._operations[name] for name in reversed(self._operations)]
        if after:
            names = [operation.name for operation in newest_first]
            newest_first = newest_first[names.index(after) + 1 :] if after in names else []
        return newest_first[:page_size]

    async def wait(self, name: str, timeout_seconds: float | None) -> Operation:
        """The operation once it is done, or as it is when the time is up.

        Raises:
            UnknownOperation: There is no such operation.
        """
        operation = self.get(name)
        if operation._task is not None and not operation.done:
            await asyncio.wait({operation._task}, timeout=timeout_seconds)
        return operation

    async def cancel(self, name: str) -> None:
        """Ends the operation with ``Cancelled``; returns when its process tree is gone.

        Raises:
            UnknownOperation: There is no such operation.
        """
        await self._stop(self.get(name), reasons.Cancelled("The operation was cancelled."))

    def delete(self, name: str) -> None:
        """Forgets a finished operation.

        Raises:
            UnknownOperation: There is no such operation.
            OperationRunning: It has no result yet.
        """
        if not self.get(name).done:
            raise OperationRunning(f"{name} is still running; cancel it first")
        del self._operations[name]

    def begin_drain(self) -> None:
        """Takes no new work from now on."""
        self._draining = True

    async def drain(self, grace_seconds: float) -> None:
        """Lets running operations finish for ``grace_seconds``, then ends the rest with ``Preempted``."""
        self.begin_drain()
        tasks = [
            operation._task
            for operation in self._operations.values()
            if operation._task and not operation.done
        ]
        if tasks:
            await asyncio.wait(tasks, timeout=grace_seconds)
        stopping = "The worker was told to stop before the work was done."
        running = [operation for operation in self._operations.values() if not operation.done]
        await asyncio.gather(*(self._stop(operation, reasons.Preempted(stopping)) for operation in running))

    async def _stop(self, operation: Operation, reason: reasons.StageError) -> None:
        if operation.done or operation._task is None:
            return
        if operation._stop_reason is None:
            operation._stop_reason = reason
            operation._task.cancel()
        await asyncio.wait({operation._task})

    async def _run(self, operation: Operation, steps: Steps, job: Job, timeout_seconds: float | None) -> None:
        result: Response | reasons.StageError
        try:
            async with asyncio.timeout(timeout_seconds):
                result = await self._work(operation, steps, job)
        except reasons.StageError as error:
            result = error
        except TimeoutError:
            result = reasons.DeadlineExceeded(
                f"The work took longer than its timeout of {timeout_seconds:.0f} s."
            )
        except asyncio.CancelledError:
            result = operation._stop_reason or reasons.Cancelled("The operation was cancelled.")
        except Exception as error:
            result = reasons.Internal(f"The worker failed to run the operation: {error!r}")
        operation.ended = time.time()
        operation.result = result
        self._observer(operation)

    async def _work(self, operation: Operation, steps: Steps, job: Job) -> Response:
        meter = Meter(steps, started=time.monotonic())
        try:
            child = await _start_unless_cancelled(job)
            try:
                async for update in child.updates():
                    operation.update = update
                    operation.reading = meter.read(update, time.monotonic())
                return await child.outcome()
            finally:
                await asyncio.shield(child.stop())
        finally:
            shutil.rmtree(job.scratch, ignore_errors=True)

    def _forget_expired(self) -> None:
        horizon = time.time() - self._ttl_seconds
        for operation in list(self._operations.values()):
            if operation.ended is not None and operation.ended < horizon:
                del self._operations[operation.name]


async def _start_unless_cancelled(job: Job) -> Child:
    """Starts the child; a cancellation in the middle of it still ends the process that came of it."""
    starting = asyncio.ensure_future(Child.start(job))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        child = await starting
        await child.stop()
        raise
