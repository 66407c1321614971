"""The gRPC faces of the registry: ``google.longrunning.Operations``, and the start of a stage.

Thin: translates messages and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import any_pb2, empty_pb2
from google.protobuf.message import Message

from splatworks.v1 import common_pb2
from splatworks_common import grpc_errors, reasons
from splatworks_common.operations.child import Job, Response
from splatworks_common.operations.registry import Operation, OperationRegistry
from splatworks_common.redaction import redacted
from splatworks_common.stages import Stage, all_steps, check_request, timeout_seconds

_PAGE_SIZE, _LARGEST_PAGE = 100, 1000


class StageStarter:
    """Starts a stage's operation for a request: what the handler of a stage's RPC calls.

    Args:
        registry: Where the operation will live.
        stage: The stage.
        reference: The stage as "module:attribute", for the child process to find.
        environment: Variables for the child process: where the object store is, and its keys.
        threads: How many threads the work may use.
        memory_limit_bytes: Most memory the work may allocate, or None.
    """

    def __init__(
        self,
        registry: OperationRegistry,
        stage: Stage[Any],
        reference: str,
        *,
        environment: Mapping[str, str],
        threads: int,
        memory_limit_bytes: int | None,
    ) -> None:
        self._registry = registry
        self._stage = stage
        self._reference = reference
        self._environment = environment
        self._threads = threads
        self._memory_limit_bytes = memory_limit_bytes

    def __call__(self, request: Any) -> operations_pb2.Operation:
        """Checks the request and starts its operation.

        Raises:
            StageError: The request is refused.
        """
        check_request(self._stage, request)
        job = Job(
            stage=self._reference,
            request=request.SerializeToString(deterministic=True),
            scratch=Path(),
            threads=self._threads,
            memory_limit_bytes=self._memory_limit_bytes,
            environment=self._environment,
        )
        operation = self._registry.start(
            self._stage.name,
            all_steps(self._stage),
            request.request_id,
            job,
            timeout_seconds(request),
            identity=redacted(request).SerializeToString(deterministic=True),
        )
        return to_message(operation)


class OperationsServicer(operations_pb2_grpc.OperationsServicer):
    """``google.longrunning.Operations`` over one registry."""

    def __init__(self, registry: OperationRegistry) -> None:
        self._registry = registry

    async def GetOperation(self, request: Any, context: Any) -> operations_pb2.Operation:
        """The operation as it is now."""
        return to_message(self._registry.get(request.name))

    async def WaitOperation(self, request: Any, context: Any) -> operations_pb2.Operation:
        """The operation once it is done, or as it is at the timeout or shortly before the call's deadline."""
        limits = [request.timeout.ToTimedelta().total_seconds()] if request.HasField("timeout") else []
        remaining = context.time_remaining()
        if remaining is not None:
            limits.append(max(0.0, 0.9 * remaining))
        return to_message(await self._registry.wait(request.name, min(limits, default=None)))

    async def ListOperations(self, request: Any, context: Any) -> operations_pb2.ListOperationsResponse:
        """A page of operations, newest first."""
        size = min(request.page_size or _PAGE_SIZE, _LARGEST_PAGE)
        if size < 0:
            raise reasons.InvalidField("page_size", "must not be negative")
        page = self._registry.list(size + 1, below=_number(request.page_token))
        token = str(page[size - 1].number) if len(page) > size else ""
        return operations_pb2.ListOperationsResponse(
            operations=[to_message(operation) for operation in page[:size]], next_page_token=token
        )

    async def CancelOperation(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Ends the operation with ``Cancelled``; answers when its processes are gone."""
        await self._registry.cancel(request.name)
        return empty_pb2.Empty()

    async def DeleteOperation(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Forgets a finished operation."""
        self._registry.delete(request.name)
        return empty_pb2.Empty()


def _number(page_token: str) -> int | None:
    if not page_token:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", page_token):
        raise reasons.InvalidField("page_token", "is not a next_page_token of an earlier answer")
    return int(page_token)


def to_message(operation: Operation) -> operations_pb2.Operation:
    """The operation as AIP-151 has it."""
    progress = common_pb2.StageProgress(
        stage=operation.stage, request_id=operation.request_id, percent=operation.reading.percent
    )
    progress.create_time.FromMilliseconds(round(1000 * operation.created))
    if operation.ended is not None:
        progress.end_time.FromMilliseconds(round(1000 * operation.ended))
    if operation.reading.eta_seconds is not None:
        progress.eta.FromMilliseconds(round(1000 * operation.reading.eta_seconds))
    if operation.update is not None:
        update = operation.update
        progress.step, progress.message, progress.unit = update.step, update.message, update.unit
        progress.done, progress.total = update.done, update.total
        progress.metrics.update(update.metrics)
    message = operations_pb2.Operation(name=operation.name, metadata=_pack(progress), done=operation.done)
    if isinstance(operation.result, Response):
        response = any_pb2.Any(type_url=operation.result.type_url, value=operation.result.value)
        message.response.CopyFrom(response)
    elif operation.result is not None:
        message.error.CopyFrom(grpc_errors.to_status(operation.result))
    return message


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
