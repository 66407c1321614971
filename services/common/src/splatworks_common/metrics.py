"""Prometheus metrics of a service: its gRPC calls and its stage's operations.

The ``grpc_server_*`` names and labels are those of the Prometheus gRPC middleware that dashboards expect.
Every label has few values: methods, codes, stages and reasons; never a job, a user or a URI.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from splatworks_common.interception import Call, UnaryInterceptor
from splatworks_common.operations.registry import Operation
from splatworks_common.reasons import Reason, StageError

_STAGE_SECONDS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)


class StageMetrics:
    """``splatworks_stage_*``: what the operations of this worker do."""

    def __init__(self, registry: CollectorRegistry, stage: str, capacity: int) -> None:
        self._stage = stage
        self._finished = Counter(
            "splatworks_stage_operations",
            "Operations that ended, by outcome: Succeeded or a reason.",
            ["stage", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "splatworks_stage_duration_seconds",
            "How long operations that succeeded took.",
            ["stage"],
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self._used = Gauge("splatworks_stage_slots_used", "Slots taken.", ["stage"], registry=registry)
        Gauge("splatworks_stage_slots", "Slots of this worker.", ["stage"], registry=registry).labels(
            stage
        ).set(capacity)
        self._used.labels(stage).set(0)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Makes all series before anything happens: ``increase()`` does not see a series' first value."""
        self._seconds.labels(self._stage)
        for outcome in ("Succeeded", *Reason):
            self._finished.labels(self._stage, outcome)

    def observe(self, operation: Operation) -> None:
        """Counts an operation's start or end."""
        if operation.ended is None or operation.result is None:
            self._used.labels(self._stage).inc()
            return
        self._used.labels(self._stage).dec()
        if isinstance(operation.result, StageError):
            self._finished.labels(self._stage, operation.result.reason.value).inc()
            return
        self._finished.labels(self._stage, "Succeeded").inc()
        self._seconds.labels(self._stage).observe(operation.ended - operation.created)


def export_certificate_expiry(registry: CollectorRegistry, expiry: Callable[[], float]) -> None:
    """``splatworks_tls_certificate_expiry_seconds``: read at every scrape, so a renewal shows at once."""
    Gauge(
        "splatworks_tls_certificate_expiry_seconds",
        "When the certificate of this process ends, in seconds since the epoch.",
        registry=registry,
    ).set_function(expiry)


class CallMetricsInterceptor(UnaryInterceptor):
    """``grpc_server_*``: counts and times unary calls."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["grpc_type", "grpc_service", "grpc_method"]
        self._started = Counter(
            "grpc_server_started", "RPCs started on the server.", labels, registry=registry
        )
        self._handled = Counter(
            "grpc_server_handled", "RPCs completed on the server.", [*labels, "grpc_code"], registry=registry
        )
        self._seconds = Histogram(
            "grpc_server_handling_seconds", "Time the server took for an RPC.", labels, registry=registry
        )

    async def around(self, method: str, call: Call, request: Any, context: Any) -> Any:
        """Counts the call and how it ended."""
        _, service, name = method.split("/", 2)
        labels = ("unary", service, name)
        self._started.labels(*labels).inc()
        started = time.perf_counter()
        code = grpc.StatusCode.OK
        try:
            return await call(request, context)
        except BaseException:
            code = _failure_code(context.code())
            raise
        finally:
            self._seconds.labels(*labels).observe(time.perf_counter() - started)
            self._handled.labels(*labels, code.name).inc()


def _failure_code(code: Any) -> grpc.StatusCode:
    # grpc.aio gives the code of an aborted call as a StatusCode or as its number, and none for a cancelled
    # one.
    for known in grpc.StatusCode:
        if code in (known, known.value[0]) and known is not grpc.StatusCode.OK:
            return known
    return grpc.StatusCode.CANCELLED if code is None else grpc.StatusCode.UNKNOWN
