"""Which process a worker is: ``WorkerService``, and the check that a call meant this one.

A request id never runs twice in one process, but a process that was started again at the same address knows
nothing of the ids before. So each has a random ``instance``, and a call that names another one does nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from splatworks.v1 import worker_pb2, worker_pb2_grpc
from splatworks_common import reasons
from splatworks_common.interception import Call, UnaryInterceptor
from splatworks_common.operations.registry import OperationRegistry

INSTANCE_METADATA = "splatworks-instance"
"""The gRPC metadata by which a caller says which instance it means."""


@dataclass(frozen=True)
class Worker:
    """This process.

    Attributes:
        stage: The stage it runs ("sfm").
        version: Version of the service's distribution.
        instance: Random, another one in every process.
    """

    stage: str
    version: str
    instance: str = field(default_factory=lambda: uuid.uuid4().hex)


class WorkerServicer(worker_pb2_grpc.WorkerServiceServicer):
    """``splatworks.v1.WorkerService``."""

    def __init__(self, worker: Worker, registry: OperationRegistry) -> None:
        self._worker = worker
        self._registry = registry

    async def GetWorker(  # noqa: N802
        self, request: worker_pb2.GetWorkerRequest, context: Any
    ) -> worker_pb2.GetWorkerResponse:
        """Who answers, and how busy it is."""
        return worker_pb2.GetWorkerResponse(
            instance=self._worker.instance,
            capacity=self._registry.capacity,
            running=self._registry.running,
            draining=self._registry.draining,
            stage=self._worker.stage,
            version=self._worker.version,
        )


class InstanceInterceptor(UnaryInterceptor):
    """Answers a call that names another instance with ``WorkerLost``; one that names none passes."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def around(self, method: str, call: Call, request: Any, context: Any) -> Any:
        """Compares the names."""
        meant = {value for key, value in context.invocation_metadata() if key == INSTANCE_METADATA}
        if meant - {self._worker.instance}:
            raise reasons.WorkerLost("The worker that this call is for was started again since.")
        return await call(request, context)
