"""Starts a service the same way every time: options, gRPC server, health, metrics, logs, graceful stop.

A service brings its ``Service`` description; ``main`` does the rest. Every option is also an environment
variable: ``--drain-seconds`` is ``SPLATWORKS_DRAIN_SECONDS``. What a caller meets, from the outside in: the
metrics, the question who calls (not on loopback, unless asked for), errors as statuses, the question which
process is meant, the servicers. Health and metrics may be served anywhere: they tell no secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import grpc
import prometheus_client
from google.longrunning import operations_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from splatworks.v1 import worker_pb2_grpc
from splatworks_common import logs, server_options
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.grpc_errors import ErrorInterceptor
from splatworks_common.identity import IdentityInterceptor, RefusedCalls
from splatworks_common.metrics import CallMetricsInterceptor, StageMetrics, export_certificate_expiry
from splatworks_common.operations.registry import Operation, OperationRegistry
from splatworks_common.operations.servicer import OperationsServicer, StageStarter
from splatworks_common.operations.worker import InstanceInterceptor, Worker, WorkerServicer
from splatworks_common.reasons import StageError
from splatworks_common.server_options import Security, ServerSettings
from splatworks_common.stages import Stage
from splatworks_common.tls import ServerCertificates, UnusableCertificate
from splatworks_common.tokens import TokenFile, UnusableToken

log = logging.getLogger(__name__)

_SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a port that is taken is an error, not half of the calls
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
_CLOSING_SECONDS = 1.0
_WORKER_SERVICE = "splatworks.v1.WorkerService"


@dataclass(frozen=True)
class Context:
    """What a service gets to work with.

    Attributes:
        server: The gRPC server, to add servicers to.
        start: Starts the stage's operation for a request.
        store: The object store.
        options: The values of the service's own options, by name.
        addresses: Bound addresses by name; a service adds those it opens itself.
    """

    server: grpc.aio.Server
    start: StageStarter
    store: ArtifactStore
    options: Mapping[str, Any]
    addresses: dict[str, str]


@dataclass(frozen=True)
class Service:
    """One service of the platform.

    Attributes:
        name: "sfm", "trainer", "compressor" or "streamer".
        distribution: What it was installed with ("splatworks-sfm"); its version is the service's.
        stage: The stage its operations run.
        stage_reference: The stage as "module:attribute", for child processes.
        full_names: The gRPC services it offers ("splatworks.v1.SfmService").
        open: Adds its servicers, and keeps whatever else it needs open while the server runs.
        options: Options of its own, besides the common ones.
    """

    name: str
    distribution: str
    stage: Stage[Any]
    stage_reference: str
    full_names: Sequence[str]
    open: Callable[[Context], AbstractAsyncContextManager[None]]
    options: Sequence[click.Option] = field(default_factory=tuple)


def main(service: Service) -> None:
    """The entry point ``splatworks-<service>``: parses options and serves until SIGTERM or SIGINT."""

    def run(**options: Any) -> None:
        own = {option.name: options.pop(str(option.name)) for option in service.options}
        settings = ServerSettings(**options)
        logs.configure(settings.log_level)
        try:
            asyncio.run(_serve(service, settings, own))
        except StageError as error:
            raise click.ClickException(str(error)) from error

    command = click.Command(
        f"splatworks-{service.name}",
        params=[*server_options.server_options(), *service.options],
        callback=run,
        help=f"Serves the {service.name} stage over gRPC. Every option is also an environment variable.",
        context_settings={"auto_envvar_prefix": "SPLATWORKS", "show_default": True},
    )
    for parameter in command.params:
        assert isinstance(parameter, click.Option)
        parameter.show_envvar = True
    command()


async def _serve(service: Service, settings: ServerSettings, own_options: Mapping[str, Any]) -> None:
    stop = _StopSignals(watch_stdin=settings.stop_on_stdin_eof)
    store_settings = StoreSettings.from_environment({**os.environ, "SPLATWORKS_STORE_URL": settings.store})
    metrics = prometheus_client.CollectorRegistry()
    stage_metrics = StageMetrics(metrics, service.stage.name, settings.capacity)

    def observe(operation: Operation) -> None:
        stage_metrics.observe(operation)
        _log_operation(operation)

    scratch = settings.scratch / f"{service.name}-{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)  # of a process of the same number that was killed
    registry = OperationRegistry(
        capacity=settings.capacity,
        scratch=scratch,
        ttl_seconds=settings.operation_ttl_seconds,
        observer=observe,
    )
    start = StageStarter(
        registry,
        service.stage,
        service.stage_reference,
        environment=store_settings.environment(),
        threads=settings.threads,
        memory_limit_bytes=settings.memory_limit_mb * 2**20 if settings.memory_limit_mb else None,
    )
    worker = Worker(service.stage.name, metadata.version(service.distribution))
    guard = _Guard(server_options.security(settings), metrics)
    server = grpc.aio.server(
        interceptors=[
            CallMetricsInterceptor(metrics),
            *guard.interceptors,
            ErrorInterceptor(),
            InstanceInterceptor(worker),
        ],
        options=_SERVER_OPTIONS,
    )
    operations_pb2_grpc.add_OperationsServicer_to_server(OperationsServicer(registry), server)
    worker_pb2_grpc.add_WorkerServiceServicer_to_server(WorkerServicer(worker, registry), server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    if settings.reflection:
        names = [*service.full_names, _WORKER_SERVICE, "google.longrunning.Operations", health.SERVICE_NAME]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)

    addresses = {"grpc": _bind(server, settings.listen, guard.credentials)}
    context = Context(server, start, ArtifactStore(store_settings), own_options, addresses)
    async with (
        service.open(context),
        _metrics_endpoint(metrics, settings.metrics_listen, addresses),
        _health_endpoint(health_servicer, settings.health_listen, addresses),
    ):
        await server.start()
        for name in ("", *service.full_names):
            await health_servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        for name, address in addresses.items():
            log.info("listening for %s", name, extra={"address": address})
        if settings.ready_file is not None:
            _write_ready_file(settings.ready_file, addresses)
        await stop.asked.wait()
        log.info("stopping")
        await health_servicer.enter_graceful_shutdown()
        await _drain(registry, settings.drain_seconds, stop)
        await server.stop(_CLOSING_SECONDS)
        shutil.rmtree(scratch, ignore_errors=True)


async def _drain(registry: OperationRegistry, grace_seconds: float, stop: _StopSignals) -> None:
    """Lets operations end, and their clients hear of it; at once when that is asked for."""
    registry.begin_drain()
    if not registry.running:
        return
    draining = asyncio.create_task(registry.drain(grace_seconds))
    hurrying = asyncio.create_task(stop.at_once.wait())
    await asyncio.wait({draining, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        await registry.drain(0.0)
    await draining
    hurrying.cancel()
    if not stop.at_once.is_set():
        await asyncio.sleep(_CLOSING_SECONDS)  # clients that poll learn how their operations ended


class _Guard:
    """What stands between a gRPC listener and strangers: nothing on loopback, else TLS and an interceptor."""

    def __init__(self, security: Security | None, metrics: prometheus_client.CollectorRegistry) -> None:
        self.credentials: grpc.ServerCredentials | None = None
        self.interceptors: list[grpc.aio.ServerInterceptor] = []
        refused = RefusedCalls(metrics)
        if security is None:
            return
        try:
            certificates = ServerCertificates(security.tls)
            token = TokenFile(security.token_file) if security.token_file else None
        except (UnusableCertificate, UnusableToken) as error:
            raise click.ClickException(f"Can not start: {error}.") from error
        self.credentials = certificates.credentials()
        self.interceptors = [IdentityInterceptor(security.allowed_sans, token, refused)]
        export_certificate_expiry(metrics, certificates.expiry)


def _bind(server: grpc.aio.Server, listen: str, credentials: grpc.ServerCredentials | None = None) -> str:
    address = server_options.listen_address(listen)
    try:
        if credentials is None:
            port = server.add_insecure_port(str(address))
        else:
            port = server.add_secure_port(str(address), credentials)
    except RuntimeError as error:
        raise click.ClickException(f"Can not listen on {listen}: is the port taken? ({error})") from error
    return str(replace(address, port=port))


@contextlib.asynccontextmanager
async def _health_endpoint(
    servicer: health.aio.HealthServicer, listen: str | None, addresses: dict[str, str]
) -> AsyncIterator[None]:
    """Serves the health of the main server in plaintext, and nothing else."""
    if listen is None:
        yield
        return
    server = grpc.aio.server(options=_SERVER_OPTIONS)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    addresses["health"] = _bind(server, listen)
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


@contextlib.asynccontextmanager
async def _metrics_endpoint(
    registry: prometheus_client.CollectorRegistry, listen: str, addresses: dict[str, str]
) -> AsyncIterator[None]:
    address = server_options.listen_address(listen)
    try:
        httpd, thread = prometheus_client.start_http_server(address.port, address.host, registry)
    except OSError as error:
        raise click.ClickException(f"Can not listen on {listen}: {error.strerror}") from error
    addresses["metrics"] = str(replace(address, port=httpd.server_port))
    try:
        yield
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _StopSignals:
    """SIGTERM asks to stop; SIGINT, and the end of stdin where that is watched, ask to stop at once."""

    def __init__(self, *, watch_stdin: bool) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGTERM, self.asked.set)
        self._loop.add_signal_handler(signal.SIGINT, self._stop_at_once)
        if watch_stdin:
            threading.Thread(target=self._watch_stdin, daemon=True).start()

    def _stop_at_once(self) -> None:
        self.at_once.set()
        self.asked.set()

    def _watch_stdin(self) -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop may have ended first
            self._loop.call_soon_threadsafe(self._stop_at_once)


def _write_ready_file(path: Path, addresses: Mapping[str, str]) -> None:
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(json.dumps({"pid": os.getpid(), **addresses}))
        partial.rename(path)
    except OSError as error:
        raise click.ClickException(f"Can not write the ready file {path}: {error.strerror}") from error


def _log_operation(operation: Operation) -> None:
    extra: dict[str, object] = {
        "stage": operation.stage,
        "request_id": operation.request_id,
        "operation": operation.name,
    }
    if operation.ended is None:
        log.info("operation started", extra=extra)
        return
    extra["seconds"] = round(operation.ended - operation.created, 3)
    if isinstance(operation.result, StageError):
        extra["outcome"] = operation.result.reason.value
        log.warning("operation failed: %s", operation.result, extra=extra)
    else:
        log.info("operation succeeded", extra={**extra, "outcome": "Succeeded"})
