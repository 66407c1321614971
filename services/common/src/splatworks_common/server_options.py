"""The options that every service has: as a dataclass, on the command line, and which of them go together.

Beyond this machine a gRPC listener speaks TLS and asks who calls; ``security`` is the one place that sees to
it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from splatworks_common.addresses import Address
from splatworks_common.tls import ServerTls


@dataclass(frozen=True)
class ServerSettings:
    """The options that every service has; see ``server_options`` for their meaning."""

    listen: str
    health_listen: str | None
    metrics_listen: str
    tls_cert: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    allowed_san: Sequence[str]
    auth_token_file: Path | None
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


@dataclass(frozen=True)
class Security:
    """What a gRPC listener asks of those who call.

    Attributes:
        tls: The server's certificate, and who signs clients'.
        allowed_sans: DNS names and URIs of clients' certificates that may call.
        token_file: The token that does as well, or None.
    """

    tls: ServerTls
    allowed_sans: frozenset[str]
    token_file: Path | None


def security(settings: ServerSettings) -> Security | None:
    """What the gRPC listener asks of those who call; None on loopback where no flag says otherwise.

    Raises:
        click.UsageError: Flags are missing; the message names them.
    """
    beyond = not listen_address(settings.listen).loopback
    identified = bool(settings.allowed_san or settings.auth_token_file)
    any_flag = settings.tls_cert or settings.tls_key or settings.tls_client_ca or identified
    if not beyond and not any_flag:
        return None
    missing = []
    if settings.tls_cert is None:
        missing.append("--tls-cert")
    if settings.tls_key is None:
        missing.append("--tls-key")
    if settings.allowed_san and settings.tls_client_ca is None:
        missing.append("--tls-client-ca")
    if not identified:
        with_names = "--allowed-san" if settings.tls_client_ca else "--tls-client-ca with --allowed-san"
        missing.append(f"{with_names} (or --auth-token-file)")
    if settings.tls_cert is None or settings.tls_key is None or missing:
        why = (
            f"{settings.listen} leaves this machine" if beyond else "TLS and identity are used only together"
        )
        raise click.UsageError(f"{why}; missing: {', '.join(missing)}.")
    return Security(
        ServerTls(settings.tls_cert, settings.tls_key, settings.tls_client_ca),
        frozenset(settings.allowed_san),
        settings.auth_token_file,
    )


def server_options() -> list[click.Option]:
    """The command-line options behind ``ServerSettings``, in its order."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [
        click.Option(
            ["--listen"], default="127.0.0.1:0", help="Address of the gRPC server; port 0 picks one."
        ),
        click.Option(
            ["--health-listen"],
            default=None,
            help="Address of a second gRPC server that answers grpc.health.v1 and nothing else, in "
            "plaintext: for probes that can not speak TLS.",
        ),
        click.Option(
            ["--metrics-listen"], default="127.0.0.1:0", help="Address of /metrics; port 0 picks one."
        ),
        *_security_options(),
        click.Option(
            ["--store"],
            default="",
            help="URL of the object store; keys and bucket come from SPLATWORKS_STORE_ACCESS_KEY, "
            "SPLATWORKS_STORE_SECRET_KEY (or files that ..._KEY_FILE name) and SPLATWORKS_STORE_BUCKET.",
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


def listen_address(address: str) -> Address:
    """The address that an option gives.

    Raises:
        click.UsageError: It is not host:port.
    """
    try:
        return Address.parse(address)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _security_options() -> list[click.Option]:
    file = click.Path(dir_okay=False, path_type=Path)
    return [
        click.Option(
            ["--tls-cert"],
            type=file,
            default=None,
            help="Certificate chain of the gRPC server, PEM. A replaced file is served without a restart.",
        ),
        click.Option(["--tls-key"], type=file, default=None, help="Private key of the certificate, PEM."),
        click.Option(
            ["--tls-client-ca"],
            type=file,
            default=None,
            help="Authorities, PEM, one of which must have signed the certificate of whoever calls.",
        ),
        click.Option(
            ["--allowed-san"],
            multiple=True,
            help="DNS name or URI in the certificate of a client that may call; repeat it for several "
            "(separated by spaces in the environment).",
        ),
        click.Option(
            ["--auth-token-file"],
            type=file,
            default=None,
            help="File of one line: the bearer token by which a client may call. Read again when it changes.",
        ),
    ]
