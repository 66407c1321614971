"""Drives one job on this machine: observe, reconcile, act, until the job is over.

Thin on purpose: what to do next is decided by ``pipeline.reconcile`` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from splatworks.v1 import common_pb2
from splatworks_common.operations.client import OperationState, StageClient
from splatworks_common.reasons import StageError
from splatworks_operator import pipeline
from splatworks_operator.local.workers import Worker, Workers
from splatworks_operator.pipeline import Failure, JobSpec, JobStatus, Observation, StageName, StageState
from splatworks_operator.requests import CALLS

_POLL_SECONDS = 0.25

OnStatus = Callable[[JobStatus], None]
"""Called with every new status: the display."""


class LocalDriver:
    """Carries a job through its stages on the workers of this machine.

    Args:
        workers: The services.
        cache: Whether finished results may be reused.
    """

    def __init__(self, workers: Workers, cache: common_pb2.CachePolicy) -> None:
        self._workers = workers
        self._cache = cache
        self._running: tuple[StageName, str] | None = None

    async def run(self, job: JobSpec, on_status: OnStatus) -> JobStatus:
        """Runs the job to its end.

        Cancelling this coroutine cancels the running operation and waits until its processes are gone.

        Returns:
            The final status; its phase tells whether the job succeeded.
        """
        status, observed = JobStatus(), None
        try:
            while True:
                status, actions = pipeline.reconcile(job, status, observed, time.time())
                on_status(status)
                if status.phase.terminal:
                    return status
                observed = await self._act(job, actions) if actions else await self._observe(status)
        except asyncio.CancelledError:
            await self._cancel_running()
            raise

    async def _act(self, job: JobSpec, actions: list[pipeline.Start]) -> Observation | None:
        observed = None
        for action in actions:
            call = CALLS[action.stage]
            try:
                client = _client(action.stage, await self._workers.get(call.service))
                state = await client.start(call.request(job, action.request_id, self._cache))
            except StageError as error:
                self._running = None
                return Observation(failure=Failure(error.reason, str(error)))
            self._running = (action.stage, state.name)
            observed = _observation(state)
        return observed

    async def _observe(self, status: JobStatus) -> Observation | None:
        stage = status.current
        if stage is None or stage.state is not StageState.RUNNING or self._running is None:
            await asyncio.sleep(_POLL_SECONDS)  # waiting for the next attempt
            return None
        try:
            client = _client(stage.name, await self._workers.get(CALLS[stage.name].service))
            state = await client.wait(self._running[1], _POLL_SECONDS)
        except StageError as error:
            self._running = None
            return Observation(failure=Failure(error.reason, str(error)))
        return _observation(state)

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


def _observation(state: OperationState[Any]) -> Observation:
    if state.error is not None:
        return Observation(failure=Failure(state.error.reason, str(state.error)))
    progress = state.progress
    if state.response is not None:
        result = state.response.result
        return Observation(result=pipeline.Result(cached=result.cached, metrics=dict(progress.metrics)))
    return Observation(
        progress=pipeline.Progress(
            percent=progress.percent,
            done=progress.done,
            total=progress.total,
            eta_seconds=progress.eta.ToTimedelta().total_seconds() if progress.HasField("eta") else None,
            message=progress.message,
            unit=progress.unit,
            metrics=dict(progress.metrics),
        )
    )
