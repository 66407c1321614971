"""Drives one job on this machine: observe, reconcile, act, until the job is over.

Thin on purpose: what to do next is decided by ``pipeline.reconcile`` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from splatworks_common.operations.client import StageClient
from splatworks_common.reasons import StageError
from splatworks_operator import observing, pipeline
from splatworks_operator.job import Job
from splatworks_operator.local.workers import Worker, Workers
from splatworks_operator.pipeline import Failure, Observation, Start
from splatworks_operator.requests import CALLS
from splatworks_operator.status import JobStatus, StageName, StageState, WorkerRef

_POLL_SECONDS = 0.25

OnStatus = Callable[[JobStatus], None]
"""Called with every new status: the display."""


class LocalDriver:
    """Carries a job through its stages on the workers of this machine.

    Args:
        workers: The services.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._running: tuple[StageName, str] | None = None

    async def run(self, job: Job, on_status: OnStatus) -> JobStatus:
        """Runs the job to its end.

        Cancelling this coroutine cancels the running operation and waits until its processes are gone.

        Returns:
            The final status; its phase tells whether the job succeeded.
        """
        status, observed = JobStatus(), self._offer(StageName.SFM)
        try:
            while True:
                status, actions = pipeline.reconcile(job, status, observed, int(time.time()))
                on_status(status)
                if status.phase.terminal:
                    return status
                starts = [action for action in actions if isinstance(action, Start)]
                observed = await self._start(job, starts[0]) if starts else await self._observe(status)
        except asyncio.CancelledError:
            await self._cancel_running()
            raise

    async def _start(self, job: Job, action: Start) -> Observation:
        call = CALLS[action.stage]
        try:
            client = _client(action.stage, await self._workers.get(call.service))
            state = await client.start(call.request(job, action.request_id))
        except StageError as error:
            self._running = None
            return Observation(failure=Failure(error.reason, str(error)))
        self._running = (action.stage, state.name)
        return observing.of_operation(state)

    async def _observe(self, status: JobStatus) -> Observation:
        stage = status.current
        assert stage is not None, "a job with all stages done is over"
        if stage.state is not StageState.RUNNING or self._running is None:
            if stage.not_before > time.time():
                await asyncio.sleep(_POLL_SECONDS)
            return self._offer(stage.name)
        try:
            client = _client(stage.name, await self._workers.get(CALLS[stage.name].service))
            state = await client.wait(self._running[1], _POLL_SECONDS)
        except StageError as error:
            self._running = None
            return Observation(failure=Failure(error.reason, str(error)))
        return observing.of_operation(state)

    @staticmethod
    def _offer(stage: StageName) -> Observation:
        """One job runs at a time, so the stage's own worker is always free."""
        return Observation(offer=WorkerRef(CALLS[stage].service))

    async def _cancel_running(self) -> None:
        if self._running is None:
            return
        stage, name = self._running
        worker = self._workers.running(CALLS[stage].service)
        if worker is None:
            return
        with contextlib.suppress(StageError):  # a worker that is gone has taken its work along
            await _client(stage, worker).cancel(name)


def _client(stage: StageName, worker: Worker) -> StageClient[Any]:
    call = CALLS[stage]
    return StageClient(call.rpc(worker.channel), call.response_type, worker.channel)
