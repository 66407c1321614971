"""Calls to workers, and what their failures mean for an attempt.

Three things are told apart that look alike on the wire: nobody answered (nothing is known), the process that
was meant is gone (the attempt is lost), and the operation is not known there.
"""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message import Message

from splatworks.v1 import streamer_pb2, streamer_pb2_grpc, worker_pb2
from splatworks_common.grpc_errors import from_call
from splatworks_common.operations.channels import Channels, ClientTls
from splatworks_common.operations.client import OperationState, StageClient, get_worker
from splatworks_common.reasons import InputNotFound, Reason, StageError
from splatworks_operator.kube.config import WorkersConfig
from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName, WorkerRef

_UNPUBLISH_SECONDS = 10.0


class Unreachable(Exception):
    """The worker did not answer, or not to us: nothing is known about the operation."""


class ProcessGone(Exception):
    """Another process answers in the worker's place: what it ran is lost."""


class UnknownOperation(Exception):
    """The worker knows no such operation: it was never started there, or is forgotten."""


class WorkerCalls:
    """Speaks to the workers that the configuration describes. Belongs to one event loop."""

    def __init__(self, config: WorkersConfig) -> None:
        tls = config.tls
        self._config = config
        self._channels = Channels(
            None if tls is None else ClientTls(tls.ca, tls.cert, tls.key), config.token_file
        )

    async def close(self) -> None:
        """Closes all connections; operations go on."""
        await self._channels.close(0.0)

    def forget(self, address: str) -> None:
        """Closes the connection to a worker that is gone."""
        self._channels.forget(address)

    async def describe(self, stage: StageName, address: str) -> worker_pb2.GetWorkerResponse:
        """Who answers at an address.

        Raises:
            Unreachable: Nobody does.
        """
        try:
            return await get_worker(self._channel(stage, address))
        except StageError as error:
            raise Unreachable(str(error)) from error

    async def start(self, stage: StageName, worker: WorkerRef, request: Message) -> OperationState[Any]:
        """Starts an attempt on the very process that is meant, or finds it there.

        Raises:
            Unreachable: Whether it was started is not known.
            ProcessGone: That process is gone, or has forgotten the attempt.
            StageError: The worker refuses.
        """
        try:
            return await self._client(stage, worker).start(request, instance=worker.instance)
        except StageError as error:
            if error.reason is not Reason.WORKER_LOST:
                raise
            if _code(error) in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ALREADY_EXISTS) and _answered(
                error
            ):
                raise ProcessGone(str(error)) from error
            raise Unreachable(str(error)) from error

    async def get(self, stage: StageName, worker: WorkerRef, operation: str) -> OperationState[Any]:
        """The attempt as it is now.

        Raises:
            Unreachable: Nothing is known about it.
            UnknownOperation: The worker does not know it.
        """
        try:
            return await self._client(stage, worker).get(operation)
        except StageError as error:
            raise _missing(error) from error

    async def wait(
        self, stage: StageName, worker: WorkerRef, operation: str, seconds: float
    ) -> OperationState[Any]:
        """The attempt once it is done, or as it is after so many seconds.

        Raises:
            Unreachable: Nothing is known about it.
            UnknownOperation: The worker does not know it.
        """
        try:
            return await self._client(stage, worker).wait(operation, seconds)
        except StageError as error:
            raise _missing(error) from error

    async def cancel(self, stage: StageName, worker: WorkerRef, operation: str) -> None:
        """Ends the attempt; returns when its processes are gone.

        Raises:
            Unreachable: Nothing is known about it.
            UnknownOperation: The worker does not know it.
        """
        try:
            await self._client(stage, worker).cancel(operation)
        except StageError as error:
            raise _missing(error) from error

    async def unpublish(self, worker: WorkerRef, slug: str) -> None:
        """Takes a scene off the web; one that is not there is fine.

        Raises:
            Unreachable: The streamer did not answer.
        """
        stub: Any = streamer_pb2_grpc.StreamerServiceStub(self._channel(StageName.PUBLISH, worker.address))
        try:
            await stub.UnpublishScene(
                streamer_pb2.UnpublishSceneRequest(slug=slug), timeout=_UNPUBLISH_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            refused = from_call(error)
            if not isinstance(refused, InputNotFound):
                raise Unreachable(str(refused)) from error

    def _client(self, stage: StageName, worker: WorkerRef) -> StageClient[Any]:
        call = CALLS[stage]
        channel = self._channel(stage, worker.address)
        return StageClient(call.rpc(channel), call.response_type, channel)

    def _channel(self, stage: StageName, address: str) -> grpc.aio.Channel:
        name = f"{self._config.services[CALLS[stage].service]}.{self._config.namespace}.svc"
        try:
            return self._channels.get(address, name if self._config.tls is not None else None)
        except (StageError, ValueError) as error:
            raise Unreachable(str(error)) from error


def _missing(error: StageError) -> Exception:
    kind = UnknownOperation if _code(error) is grpc.StatusCode.NOT_FOUND else Unreachable
    return kind(str(error))


def _code(error: StageError) -> grpc.StatusCode | None:
    return error.__cause__.code() if isinstance(error.__cause__, grpc.aio.AioRpcError) else None


def _answered(error: StageError) -> bool:
    """Whether a server of ours said so; without one gRPC itself says UNAVAILABLE, and gives no details."""
    cause = error.__cause__
    metadata = cause.trailing_metadata() if isinstance(cause, grpc.aio.AioRpcError) else None
    return any(key == "grpc-status-details-bin" for key, _ in metadata or ())
