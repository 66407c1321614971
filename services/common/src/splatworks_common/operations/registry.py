"""The operations of one server: which run, which have ended, and how many more may start.

Invariants: a ``request_id`` never runs twice; at most ``capacity`` operations run at a time; a finished
operation never changes; every child process is gone before its operation is done. All methods belong to one
event loop.

An id is remembered when its operation is forgotten, up to the last 100,000 of them: started again, it is
refused with ``OperationForgotten``, and asked for, there is no such operation; the manifest of its output
tells what became of it. Another process remembers nothing: callers pin the process (``operations.worker``).
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from splatworks_common import reasons
from splatworks_common.operations.child import Child, Job, OnOutput, Response
from splatworks_common.operations.meter import NOT_STARTED, Meter, Reading
from splatworks_common.progress import Update
from splatworks_common.stages import Steps

log = logging.getLogger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What a ``request_id`` must match: it becomes part of the operation's name and of a directory's."""

_REMEMBERED_IDS = 100_000


class RequestIdReused(Exception):
    """The ``request_id`` already stands for another request."""


class OperationForgotten(Exception):
    """The ``request_id`` was used here, and its operation has expired or was deleted: it never runs again."""


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
        number: Counts the operations of this server; newer ones have higher numbers.
        stage: The stage's name ("sfm").
        request_id: The id the caller gave.
        identity: Tells its request from others; holds no secrets.
        created, ended: Seconds since the epoch; ``ended`` is None while it runs.
        update: The latest report, None before the first.
        reading: Percent and time left at that report.
        result: The response, the error, or None while it runs.
    """

    name: str
    number: int
    stage: str
    request_id: str
    identity: bytes = field(repr=False)
    created: float
    update: Update | None = None
    reading: Reading = NOT_STARTED
    ended: float | None = None
    result: Result | None = None
    _task: asyncio.Task[Result] | None = field(default=None, repr=False)
    _child: Child | None = field(default=None, repr=False)
    _stop_reason: reasons.StageError | None = None

    @property
    def done(self) -> bool:
        """True once there is a result."""
        return self.result is not None


Result = Response | reasons.StageError
"""How an operation ends."""

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
        self._count = 0

    @property
    def draining(self) -> bool:
        """Whether no new work is taken any more."""
        return self._draining

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return sum(not operation.done for operation in self._operations.values())

    def start(
        self,
        stage: str,
        steps: Steps,
        request_id: str,
        job: Job,
        timeout_seconds: float | None,
        *,
        identity: bytes,
    ) -> Operation:
        """Starts ``job``, or returns the operation that this very request started before.

        ``job.scratch`` is replaced by a directory of the operation's own. ``identity`` tells requests apart:
        the same one means the same request. It is kept for as long as the operation, so it holds no secrets.

        Raises:
            InvalidField: ``request_id`` is missing or malformed.
            RequestIdReused: The id stands for another request.
            OperationForgotten: The id was used, and how that ended is not known here any more.
            NoFreeSlot: All slots are taken.
            Draining: The server is stopping.
        """
        if not REQUEST_ID.fullmatch(request_id):
            raise reasons.InvalidField("request_id", f"{request_id!r} does not match {REQUEST_ID.pattern}")
        self._forget_expired()
        name = f"operations/{request_id}"
        known = self._operations.get(name)
        if known is not None:
            if known.identity != identity or known.stage != stage:
                raise RequestIdReused(f"request_id {request_id} was used for another request; use a new one")
            return known
        if request_id in self._used_ids:
            raise OperationForgotten(
                f"request_id {request_id} was used before and its operation is gone; look whether its output "
                "is there, and use a new one if not"
            )
        if self._draining:
            raise Draining("This worker is stopping; ask another one.")
        if self.running >= self.capacity:
            raise reasons.NoFreeSlot(f"All {self.capacity} slots of this worker are taken; try again later.")
        self._count += 1
        operation = Operation(name, self._count, stage, request_id, identity, created=time.time())
        self._operations[name] = operation
        self._used_ids[request_id] = None
        if len(self._used_ids) > _REMEMBERED_IDS:
            self._used_ids.popitem(last=False)
        own_job = replace(job, scratch=self._scratch / request_id)
        operation._task = asyncio.create_task(self._run(operation, steps, own_job, timeout_seconds))
        # A callback, since a task that is cancelled before its first step runs none of its own code.
        operation._task.add_done_callback(lambda task: self._finish(operation, task))
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

    def list(self, page_size: int, below: int | None = None) -> list[Operation]:
        """Up to ``page_size`` operations, newest first, whose number is less than ``below``."""
        self._forget_expired()
        newest_first = reversed(self._operations.values())
        return [operation for operation in newest_first if below is None or operation.number < below][
            :page_size
        ]

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
        """Takes no new work from now on, and asks work that can go on elsewhere to save its state and end."""
        self._draining = True
        for operation in self._operations.values():
            if operation._child is not None and not operation.done:
                operation._child.ask_to_stop()

    async def drain(self, grace_seconds: float) -> None:
        """Lets running operations end for ``grace_seconds``, then ends the rest with ``Preempted``.

        Work that saves its state ends with ``Preempted`` as soon as that is stored; other work may finish.
        """
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

    async def _run(
        self, operation: Operation, steps: Steps, job: Job, timeout_seconds: float | None
    ) -> Result:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._work(operation, steps, job)
        except reasons.StageError as error:
            return error
        except TimeoutError:
            return reasons.DeadlineExceeded(f"The work took longer than its timeout, {timeout_seconds:g} s.")
        except Exception as error:
            log.exception("the operation could not be run", extra=_context(operation))
            return reasons.Internal(f"The worker failed to run the operation: {error!r}")

    async def _work(self, operation: Operation, steps: Steps, job: Job) -> Response:
        meter = Meter(steps, started=time.monotonic())

        def on_output(line: str) -> None:
            log.info("%s", line, extra=_context(operation))

        try:
            child = await _start_unless_cancelled(job, on_output)
            operation._child = child
            if self._draining:
                child.ask_to_stop()
            try:
                async for update in child.updates():
                    operation.update = update
                    operation.reading = meter.read(update, time.monotonic())
                return await child.outcome()
            finally:
                await _to_the_end(child.stop())
        finally:
            await _to_the_end(asyncio.to_thread(shutil.rmtree, job.scratch, ignore_errors=True))

    def _finish(self, operation: Operation, task: asyncio.Task[Result]) -> None:
        if task.cancelled():
            operation.result = operation._stop_reason or reasons.Cancelled("The operation was cancelled.")
        else:
            operation.result = task.result()
        operation.ended = time.time()
        self._observer(operation)

    def _forget_expired(self) -> None:
        horizon = time.time() - self._ttl_seconds
        for operation in list(self._operations.values()):
            if operation.ended is not None and operation.ended < horizon:
                del self._operations[operation.name]


async def _start_unless_cancelled(job: Job, on_output: OnOutput) -> Child:
    """Starts the child; a cancellation in the middle of it still ends the process that came of it."""
    starting = asyncio.ensure_future(Child.start(job, on_output))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        child = await starting
        await _to_the_end(child.stop())
        raise


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Awaits ``work`` whatever happens; a cancellation meanwhile is raised once it is done."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _context(operation: Operation) -> dict[str, str]:
    return {"request_id": operation.request_id, "stage": operation.stage}
