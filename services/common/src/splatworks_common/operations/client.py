"""A small typed client for one stage service: start, poll, cancel.

Every failure comes out as a ``StageError``; a worker that does not answer is ``WorkerLost``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from splatworks.v1 import common_pb2, worker_pb2, worker_pb2_grpc
from splatworks_common import grpc_errors, reasons
from splatworks_common.operations.worker import INSTANCE_METADATA

ResponseT = TypeVar("ResponseT", bound=Message)

_CALL_SECONDS = 10.0


@dataclass(frozen=True)
class OperationState(Generic[ResponseT]):
    """An operation as its server last described it.

    Attributes:
        name: The name to ask for it again.
        progress: How far it is.
        response: The result, once it succeeded.
        error: The reason, once it failed.
    """

    name: str
    progress: common_pb2.StageProgress
    response: ResponseT | None = None
    error: reasons.StageError | None = None

    @property
    def done(self) -> bool:
        """True once there is a response or an error."""
        return self.response is not None or self.error is not None


class StageClient(Generic[ResponseT]):
    """Talks to one worker of one stage.

    Args:
        start: The stage's RPC on a stub of ``channel``, for example ``SfmServiceStub(channel).Reconstruct``.
        response_type: The message class of the stage's response.
        channel: The channel to the worker.

    Example:
        >>> async with connect("127.0.0.1:50051") as channel:
        ...     client = StageClient(SfmServiceStub(channel).Reconstruct, ReconstructResponse, channel)
        ...     state = await client.start(request)
        ...     while not state.done:
        ...         state = await client.wait(state.name, seconds=1.0)
    """

    def __init__(
        self, start: Callable[..., Awaitable[Any]], response_type: type[ResponseT], channel: grpc.aio.Channel
    ) -> None:
        self._start = start
        self._response_type = response_type
        self._channel = channel

    @cached_property  # a client is made for one call, and most only start something
    def _operations(self) -> Any:
        return operations_pb2_grpc.OperationsStub(self._channel)

    async def start(self, request: Message, *, instance: str | None = None) -> OperationState[ResponseT]:
        """Starts the request's operation, or finds the one it started before.

        Args:
            request: The stage's request.
            instance: The process that is meant (``get_worker``); another one at this address starts nothing.

        Raises:
            StageError: The request was refused, or nobody answered; ``WorkerLost`` from another instance.
        """
        metadata = ((INSTANCE_METADATA, instance),) if instance else ()
        call = self._start(request, timeout=_CALL_SECONDS, wait_for_ready=True, metadata=metadata)
        return self._state(await _call(call))

    async def get(self, name: str) -> OperationState[ResponseT]:
        """The operation as it is now.

        Raises:
            WorkerLost: The worker is gone, or does not know the operation.
        """
        request = operations_pb2.GetOperationRequest(name=name)
        return self._state(await _call(self._operations.GetOperation(request, timeout=_CALL_SECONDS)))

    async def wait(self, name: str, seconds: float) -> OperationState[ResponseT]:
        """The operation once it is done, or as it is after ``seconds``.

        Raises:
            WorkerLost: The worker is gone, or does not know the operation.
        """
        request = operations_pb2.WaitOperationRequest(name=name, timeout=_duration(seconds))
        call = self._operations.WaitOperation(request, timeout=seconds + _CALL_SECONDS)
        return self._state(await _call(call))

    async def cancel(self, name: str) -> None:
        """Ends the operation; returns when its processes are gone."""
        request = operations_pb2.CancelOperationRequest(name=name)
        await _call(self._operations.CancelOperation(request, timeout=_CALL_SECONDS))

    async def list(self) -> list[OperationState[ResponseT]]:
        """Every operation of the worker, newest first."""
        states: list[OperationState[ResponseT]] = []
        token = ""
        while True:
            request = operations_pb2.ListOperationsRequest(page_token=token)
            page = await _call(self._operations.ListOperations(request, timeout=_CALL_SECONDS))
            states += [self._state(operation) for operation in page.operations]
            token = page.next_page_token
            if not token:
                return states

    def _state(self, operation: operations_pb2.Operation) -> OperationState[ResponseT]:
        progress = common_pb2.StageProgress()
        operation.metadata.Unpack(progress)
        if operation.HasField("error"):
            return OperationState(operation.name, progress, error=grpc_errors.from_status(operation.error))
        if not operation.HasField("response"):
            return OperationState(operation.name, progress)
        response = self._response_type()
        if not operation.response.Unpack(response):
            raise reasons.Internal(f"{operation.name} answered with {operation.response.type_url}")
        return OperationState(operation.name, progress, response=response)


async def get_worker(channel: grpc.aio.Channel) -> worker_pb2.GetWorkerResponse:
    """Who answers at the other end of a channel, and how busy it is.

    Raises:
        WorkerLost: Nobody answers.
    """
    stub: Any = worker_pb2_grpc.WorkerServiceStub(channel)
    answer = await _call(stub.GetWorker(worker_pb2.GetWorkerRequest(), timeout=_CALL_SECONDS))
    assert isinstance(answer, worker_pb2.GetWorkerResponse)
    return answer


async def _call(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise grpc_errors.from_call(error) from error


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(round(1000 * seconds))
    return duration
