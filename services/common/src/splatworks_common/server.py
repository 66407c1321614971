"""Starts a service the same way every time: options, gRPC server, health, metrics, logs, graceful stop.

A service brings its ``Service`` description; ``main`` does the rest. Every option is also an environment
variable: ``--drain-seconds`` is ``SPLATWORKS_DRAIN_SECONDS``. Servers listen on loopback only: ``_bind`` is
the one place where TLS and authentication will let them leave it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import grpc
import prometheus_client
from google.longrunning import operations_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from splatworks_common import logs
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.grpc_errors import ErrorInterceptor
from splatworks_common.metrics import CallMetricsInterceptor, StageMetrics
from splatworks_common.operations.registry import Operation, OperationRegistry
from splatworks_common.operations.servicer import OperationsServicer, StageStarter
from splatworks_common.reasons import StageError
from splatworks_common.stages import Stage

log = logging.getLogger(__name__)

_SERVER_OPTIONS = (
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
_CLOSING_SECONDS = 1.0


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
        stage: The stage its operations run.
        stage_reference: The stage as "module:attribute", for child processes.
        full_names: The gRPC services it offers ("splatworks.v1.SfmService").
        open: Adds its servicers, and keeps whatever else it needs open while the server runs.
        options: Options of its own, besides the common ones.
    """

    name: str
    stage: Stage[Any]
    stage_reference: str
    full_names: Sequence[str]
    open: Callable[[Context], AbstractAsyncContextManager[None]]
    options: Sequence[click.Option] = field(default_factory=tuple)


@dataclass(frozen=True)
class Settings:
    """The options that every service has; see ``_common_options`` for their meaning."""

    listen: str
    metrics_listen: str
    store: str
    capacity: int
    threads: int
    memory_limit_mb: int | None
    scratch: Path
    drain_seconds: float
    operation_ttl_seconds: float
    reflection: bool
    log_level: str
    ready_file: Path | None
    stop_on_stdin_eof: bool


def main(service: Service) -> None:
    """The entry point ``splatworks-<service>``: parses options and serves until SIGTERM or SIGINT."""

    def run(**options: Any) -> None:
        own = {option.name: options.pop(str(option.name)) for option in service.options}
        settings = Settings(**options)
        logs.configure(settings.log_level)
        try:
            asyncio.run(_serve(service, settings, own))
        except StageError as error:
            raise click.ClickException(str(error)) from error

    command = click.Command(
        f"splatworks-{service.name}",
        params=[*_common_options(), *service.options],
        callback=run,
        help=f"Serves the {service.name} stage over gRPC. Every option is also an environment variable.",
        context_settings={"auto_envvar_prefix": "SPLATWORKS", "show_default": True},
    )
    for parameter in command.params:
        assert isinstance(parameter, click.Option)
        parameter.show_envvar = True
    command()


def _common_options() -> list[click.Option]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [
        click.Option(
            ["--listen"], default="127.0.0.1:0", help="Address of the gRPC server; port 0 picks one."
        ),
        click.Option(
            ["--metrics-listen"], default="127.0.0.1:0", help="Address of /metrics; port 0 picks one."
        ),
        click.Option(
            ["--store"],
            default="",
            help="URL of the object store; keys and bucket come from SPLATWORKS_STORE_ACCESS_KEY, "
            "SPLATWORKS_STORE_SECRET_KEY and SPLATWORKS_STORE_BUCKET.",
            envvar="SPLATWORKS_STORE_URL",
        ),
        click.Option(
            ["--capacity"], type=click.IntRange(1), default=1, help="Operations that may run at a time."
        ),
        click.Option(["--threads"], type=click.IntRange(1), default=cores, help="Threads of one operation."),
        click.Option(
            ["--memory-limit-mb"],
            type=click.IntRange(64),
            default=None,
            help="Most memory one operation may allocate; beyond it ends with OutOfMemory.",
        ),
        click.Option(
            ["--scratch"],
            type=click.Path(file_okay=False, path_type=Path),
            default=Path(tempfile.gettempdir()) / f"splatworks-{os.getuid()}",
            help="Directory for the files of running operations.",
        ),
        click.Option(
            ["--drain-seconds"],
            type=click.FloatRange(0),
            default=30.0,
            help="How long running operations may go on after SIGTERM before they end with Preempted.",
        ),
        click.Option(
            ["--operation-ttl-seconds"],
            type=click.FloatRange(1),
            default=3600.0,
            help="How long a finished operation can be asked for.",
        ),
        click.Option(["--reflection/--no-reflection"], default=False, help="Offer gRPC server reflection."),
        click.Option(
            ["--log-level"],
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="info",
            help="Least severe log lines to write.",
        ),
        click.Option(
            ["--ready-file"],
            type=click.Path(dir_okay=False, path_type=Path),
            default=None,
            help="Once serving, write the bound addresses here as JSON.",
        ),
        click.Option(
            ["--stop-on-stdin-eof"],
            is_flag=True,
            default=False,
            help="Stop at once when stdin ends: for a parent that must not leave servers behind.",
        ),
    ]


async def _serve(service: Service, settings: Settings, own_options: Mapping[str, Any]) -> None:
    stop = _stop_event(settings)
    store_settings = StoreSettings.from_environment({**os.environ, "SPLATWORKS_STORE_URL": settings.store})
    metrics = prometheus_client.CollectorRegistry()
    stage_metrics = StageMetrics(metrics, service.stage.name, settings.capacity)

    def observe(operation: Operation) -> None:
        stage_metrics.observe(operation)
        _log_operation(operation)

    registry = OperationRegistry(
        capacity=settings.capacity,
        scratch=settings.scratch / f"{service.name}-{os.getpid()}",
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
    server = grpc.aio.server(
        interceptors=[CallMetricsInterceptor(metrics), ErrorInterceptor()], options=_SERVER_OPTIONS
    )
    operations_pb2_grpc.add_OperationsServicer_to_server(OperationsServicer(registry), server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    if settings.reflection:
        names = [*service.full_names, "google.longrunning.Operations", health.SERVICE_NAME]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)

    addresses = {"grpc": _bind(server, settings.listen)}
    context = Context(server, start, ArtifactStore(store_settings), own_options, addresses)
    async with service.open(context), _metrics_endpoint(metrics, settings.metrics_listen, addresses):
        await server.start()
        for name in ("", *service.full_names):
            await health_servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        for name, address in addresses.items():
            log.info("listening for %s", name, extra={"address": address})
        if settings.ready_file is not None:
            _write_ready_file(settings.ready_file, addresses)
        immediately = await stop
        log.info("stopping")
        await health_servicer.enter_graceful_shutdown()
        await registry.drain(0.0 if immediately else settings.drain_seconds)
        await server.stop(_CLOSING_SECONDS)


def _bind(server: grpc.aio.Server, address: str) -> str:
    # TLS credentials and the authentication interceptor belong here, and with them addresses beyond loopback.
    host, _ = loopback_address(address)
    return f"{host}:{server.add_insecure_port(address)}"


def loopback_address(address: str) -> tuple[str, int]:
    """The host and port of an address that an option gives.

    Raises:
        click.UsageError: It is not host:port, or leaves this machine.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.UsageError(f"{address!r} is not an address; write host:port, like 127.0.0.1:50051.")
    name = host.strip("[]")
    with contextlib.suppress(ValueError):
        if name == "localhost" or ipaddress.ip_address(name).is_loopback:
            return host, int(port)
    raise click.UsageError(f"{host!r} is not a loopback address; services do not leave it without TLS.")


@contextlib.asynccontextmanager
async def _metrics_endpoint(
    registry: prometheus_client.CollectorRegistry, address: str, addresses: dict[str, str]
) -> AsyncIterator[None]:
    host, port = loopback_address(address)
    httpd, thread = prometheus_client.start_http_server(port, host, registry)
    addresses["metrics"] = f"{host}:{httpd.server_port}"
    try:
        yield
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _stop_event(settings: Settings) -> asyncio.Future[bool]:
    """Resolves when the server is to stop: True where running operations shall not be waited for."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[bool] = loop.create_future()

    def resolve(immediately: bool) -> None:
        if not stop.done():
            stop.set_result(immediately)

    loop.add_signal_handler(signal.SIGTERM, resolve, False)
    loop.add_signal_handler(signal.SIGINT, resolve, True)
    if settings.stop_on_stdin_eof:

        def watch() -> None:
            while os.read(sys.stdin.fileno(), 4096):
                pass
            with contextlib.suppress(RuntimeError):  # the loop may have ended first
                loop.call_soon_threadsafe(resolve, True)

        threading.Thread(target=watch, daemon=True).start()
    return stop


def _write_ready_file(path: Path, addresses: Mapping[str, str]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"pid": os.getpid(), **addresses}))
    partial.rename(path)


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
