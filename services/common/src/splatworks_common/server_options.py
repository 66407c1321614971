"""The options that every service has: as a dataclass, and as they stand on the command line."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click


@dataclass(frozen=True)
class ServerSettings:
    """The options that every service has; see ``server_options`` for their meaning."""

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


def server_options() -> list[click.Option]:
    """The command-line options behind ``ServerSettings``, in its order."""
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
            return name, int(port)
    raise click.UsageError(f"{host!r} is not a loopback address; services do not leave it without TLS.")
