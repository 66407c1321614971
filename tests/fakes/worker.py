"""A worker that does no work: real gRPC, real errors, and outcomes by plan.

What it finishes it commits to the store as a real one does, so that a manifest outlives it. ``kill`` takes it
away in the middle of whatever it runs; ``start`` brings another process to the same address. Every execution
of a request id is counted by the ``Ledger`` that all workers of a test share.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from splatworks.v1 import (
    common_pb2,
    compressor_pb2_grpc,
    sfm_pb2_grpc,
    streamer_pb2,
    streamer_pb2_grpc,
    trainer_pb2_grpc,
    worker_pb2,
    worker_pb2_grpc,
)
from splatworks_common import reasons
from splatworks_common.grpc_errors import to_status
from splatworks_common.operations.registry import OperationForgotten
from splatworks_common.operations.worker import INSTANCE_METADATA
from splatworks_common.reasons import ERROR_DOMAIN, Reason, StageError
from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName
from tests.fakes.store import FolderArtifacts

METRICS: dict[StageName, dict[str, float]] = {
    StageName.SFM: {"registered_images": 12.0, "total_images": 12.0},
    StageName.TRAIN: {"psnr": 27.5, "ssim": 0.91, "gaussians": 1000.0},
    StageName.COMPRESS: {"size_bytes": 5000.0, "ratio": 17.0, "gaussians": 1000.0},
    StageName.PUBLISH: {},
}


@dataclass(frozen=True)
class Plan:
    """What becomes of one request.

    Attributes:
        seconds: How long it runs.
        error: How it ends; None succeeds.
        percent: What it reports while it runs.
    """

    seconds: float = 0.0
    error: StageError | None = None
    percent: float = 0.0


FOREVER = Plan(seconds=1e9)
Behaviour = Callable[[Any], Plan]
"""Decides about a request."""


@dataclass
class Ledger:
    """What all workers of a test did."""

    executions: Counter[str] = field(default_factory=Counter)
    cancelled: list[str] = field(default_factory=list)
    unpublished: list[str] = field(default_factory=list)
    requests: dict[str, Any] = field(default_factory=dict)

    def ran(self, request: Any) -> None:
        """An attempt begins."""
        self.executions[request.request_id] += 1
        self.requests[request.request_id] = request

    @property
    def repeated(self) -> list[str]:
        """Request ids that ran more than once; there must be none."""
        return [request_id for request_id, times in self.executions.items() if times > 1]


@dataclass
class _Operation:
    request: Any
    plan: Plan
    started: float
    ended: bool = False
    error: StageError | None = None


class FakeWorker:
    """One worker of one stage."""

    def __init__(
        self,
        stage: StageName,
        store: FolderArtifacts,
        ledger: Ledger,
        *,
        capacity: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        behave: Behaviour = lambda request: Plan(),
        threads: int | None = None,
    ) -> None:
        """Serves nothing yet; see ``start``.

        Args:
            stage: Which stage.
            store: Where results go.
            ledger: Where to count.
            capacity: How many operations run at a time.
            host, port: Where to listen; 0 chooses a port.
            behave: What becomes of each request.
            threads: How many calls are answered at a time; by default enough to wait for each operation.
        """
        self.stage = stage
        self.capacity = capacity
        self.behave = behave
        self.draining = False
        self.host = host
        self._store = store
        self._ledger = ledger
        self._threads = threads or min(capacity, 512) + 8
        self._lock = threading.RLock()
        self._happened = threading.Condition(self._lock)
        self._operations: dict[str, _Operation] = {}
        self._under_way: dict[str, _Operation] = {}  # those of them that have not ended
        self._server: grpc.Server | None = None
        self._used: set[str] = set()
        self.instance = ""
        self.port = port

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def running(self) -> int:
        """How many operations it runs."""
        with self._lock:
            for operation in list(self._under_way.values()):
                self._looked_at(operation)
            return len(self._under_way)

    def start(self) -> None:
        """Serves as a new process, at the same address as before."""
        self.instance = uuid.uuid4().hex
        self._operations, self._under_way, self._used = {}, {}, set()
        server = grpc.server(
            ThreadPoolExecutor(max_workers=self._threads), options=[("grpc.so_reuseport", 0)]
        )
        faces = _Faces(self)
        operations_pb2_grpc.add_OperationsServicer_to_server(faces, server)
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(faces, server)
        _ADDERS[self.stage](faces, server)
        self.port = server.add_insecure_port(self.address)
        server.start()
        self._server = server

    def kill(self) -> None:
        """The process is gone, and all that it had not finished."""
        with self._lock:
            for operation in list(self._under_way.values()):
                self._looked_at(operation)
            self._operations, self._under_way = {}, {}
            self.instance = ""
            self._happened.notify_all()
        if self._server is not None:
            self._server.stop(None).wait(5)
            self._server = None

    def forget_operations(self) -> None:
        """As after the time that finished operations are kept."""
        with self._lock:
            self._operations, self._under_way = {}, {}

    # What the faces ask ---------------------------------------------------------------------------------

    def begin(self, request: Any, context: Any) -> operations_pb2.Operation:
        meant = dict(context.invocation_metadata()).get(INSTANCE_METADATA)
        name = f"operations/{request.request_id}"
        with self._lock:
            if meant and meant != self.instance:
                raise reasons.WorkerLost("The worker that this call is for was started again since.")
            if name not in self._operations:
                if name in self._used:
                    raise OperationForgotten(f"{name} is over and was forgotten.")
                if self.draining:
                    raise reasons.Preempted("This worker is stopping; ask another one.")
                if self.running >= self.capacity:
                    raise reasons.NoFreeSlot(f"All {self.capacity} slots of this worker are taken.")
                self._ledger.ran(request)
                self._used.add(name)
                operation = _Operation(request, self.behave(request), time.monotonic())
                self._operations[name] = self._under_way[name] = operation
            return self.message(name)

    def message(self, name: str) -> operations_pb2.Operation:
        with self._lock:
            operation = self._looked_at(self._operations[name])
        progress = common_pb2.StageProgress(
            stage=self.stage.value, request_id=operation.request.request_id, percent=operation.plan.percent
        )
        if operation.plan.percent:
            progress.message, progress.unit = "Working", "steps"
            progress.done, progress.total = operation.plan.percent, 100.0
        message = operations_pb2.Operation(name=name, done=operation.ended)
        if operation.error is not None:
            message.error.CopyFrom(to_status(operation.error))
        elif operation.ended:
            progress.metrics.update(METRICS[self.stage])
            result = common_pb2.StageResult(input_digest="0" * 64)
            message.response.Pack(CALLS[self.stage].response_type(result=result))
        message.metadata.Pack(progress)
        return message

    def knows(self, name: str) -> bool:
        with self._lock:
            return name in self._operations

    def wait(self, name: str, seconds: float) -> operations_pb2.Operation:
        deadline = time.monotonic() + seconds
        with self._happened:
            while not self.message(name).done and (left := deadline - time.monotonic()) > 0:
                operation = self._operations[name]
                ends = operation.started + operation.plan.seconds - time.monotonic()
                self._happened.wait(max(0.0, min(left, ends)))
            return self.message(name)

    def cancel(self, name: str) -> None:
        with self._lock:
            operation = self._looked_at(self._operations[name])
            if not operation.ended:
                operation.ended, operation.error = True, reasons.Cancelled("The operation was cancelled.")
                del self._under_way[name]
                self._ledger.cancelled.append(name)
                self._happened.notify_all()

    def unpublish(self, slug: str) -> None:
        self._ledger.unpublished.append(slug)

    def _looked_at(self, operation: _Operation) -> _Operation:
        """The operation, ended and committed where its time is up."""
        if not operation.ended and time.monotonic() >= operation.started + operation.plan.seconds:
            operation.ended, operation.error = True, operation.plan.error
            self._under_way.pop(f"operations/{operation.request.request_id}", None)
            if operation.error is None:
                self._store.commit(operation.request.output_uri, self.stage.value, METRICS[self.stage])
        return operation


class _Faces(
    operations_pb2_grpc.OperationsServicer,
    worker_pb2_grpc.WorkerServiceServicer,
    streamer_pb2_grpc.StreamerServiceServicer,
    sfm_pb2_grpc.SfmServiceServicer,
    trainer_pb2_grpc.TrainerServiceServicer,
    compressor_pb2_grpc.CompressorServiceServicer,
):
    """Every service that a worker may offer; each stage's own is added to its server."""

    def __init__(self, worker: FakeWorker) -> None:
        self._worker = worker

    def _start(self, request: Any, context: Any) -> Any:
        try:
            return self._worker.begin(request, context)
        except StageError as error:
            return context.abort_with_status(rpc_status.to_status(to_status(error)))
        except OperationForgotten as error:
            return _abort(context, code_pb2.ALREADY_EXISTS, str(error))

    Reconstruct = Train = Compress = PublishScene = _start

    def UnpublishScene(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._worker.unpublish(request.slug)
        return streamer_pb2.UnpublishSceneResponse()

    def GetWorker(self, request: Any, context: Any) -> Any:  # noqa: N802
        return worker_pb2.GetWorkerResponse(
            instance=self._worker.instance,
            capacity=self._worker.capacity,
            running=self._worker.running,
            draining=self._worker.draining,
            stage=self._worker.stage.value,
            version="0",
        )

    def GetOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._check(request.name, context)
        return self._worker.message(request.name)

    def WaitOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._check(request.name, context)
        try:
            return self._worker.wait(request.name, request.timeout.ToTimedelta().total_seconds())
        except KeyError:
            return context.abort(grpc.StatusCode.UNAVAILABLE, "killed meanwhile")

    def CancelOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._check(request.name, context)
        self._worker.cancel(request.name)
        return empty_pb2.Empty()

    def DeleteOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        raise NotImplementedError

    ListOperations = GetScene = ListScenes = DeleteOperation

    def _check(self, name: str, context: Any) -> None:
        if not self._worker.knows(name):
            _abort(context, code_pb2.NOT_FOUND, f"There is no {name} here.")


def _abort(context: Any, code: int, message: str) -> Any:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(domain=ERROR_DOMAIN, reason=Reason.WORKER_LOST))
    status = status_pb2.Status(code=code, message=message, details=[detail])
    return context.abort_with_status(rpc_status.to_status(status))


_ADDERS: dict[StageName, Callable[[Any, grpc.Server], None]] = {
    StageName.SFM: sfm_pb2_grpc.add_SfmServiceServicer_to_server,
    StageName.TRAIN: trainer_pb2_grpc.add_TrainerServiceServicer_to_server,
    StageName.COMPRESS: compressor_pb2_grpc.add_CompressorServiceServicer_to_server,
    StageName.PUBLISH: streamer_pb2_grpc.add_StreamerServiceServicer_to_server,
}
