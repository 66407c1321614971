"""The process ``splatworks-operator``.

Two loops: the main one holds the Lease (``leadership``) and answers probes, another in its own thread acts
(``operating``). However the process ends, jobs keep running on the workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import secrets
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import click
import prometheus_client

from splatworks_common import logs
from splatworks_common.addresses import Address
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.reasons import StageError
from splatworks_operator.kube import health
from splatworks_operator.kube.api import ApiError, connect
from splatworks_operator.kube.artifacts import Artifacts, StoreArtifacts
from splatworks_operator.kube.background import EndedByItself
from splatworks_operator.kube.certificate import OwnCertificate
from splatworks_operator.kube.config import ConfigError, OperatorConfig, load
from splatworks_operator.kube.leadership import Outcome, lead
from splatworks_operator.kube.lease import LeaseLock
from splatworks_operator.kube.metrics import OperatorMetrics
from splatworks_operator.kube.operating import new_vitals, operate

log = logging.getLogger(__name__)


@click.command("splatworks-operator", context_settings={"auto_envvar_prefix": "SPLATWORKS_OPERATOR"})
@click.option(
    "--config",
    required=True,
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The YAML file that describes the platform.",
)
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    show_envvar=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Least severe log lines to write.",
)
def main(config: Path, log_level: str) -> None:
    """Runs SplatJobs on the workers of a cluster, until SIGTERM.

    The object store is named by the variables SPLATWORKS_STORE_URL, _BUCKET, _ACCESS_KEY, _SECRET_KEY and so
    on; the Kubernetes API by the pod's ServiceAccount, or by KUBECONFIG.
    """
    logs.configure(log_level)
    try:
        read = load(config)
        artifacts = StoreArtifacts(StoreSettings.from_environment())
        outcome = asyncio.run(run(read, artifacts))
    except (ConfigError, StageError, ApiError, EndedByItself) as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(outcome.value)


async def run(config: OperatorConfig, artifacts: Artifacts) -> Outcome:
    """Runs the operator until SIGTERM or SIGINT.

    Raises:
        ApiError: There is no API server to speak to.
        EndedByItself: Something that is to go on while jobs are driven does not.
    """
    _collect_garbage_rarely()
    stop = _set_by_signals()
    identity = f"{socket.gethostname()}_{secrets.token_hex(8)}"
    registry = prometheus_client.CollectorRegistry()
    metrics = OperatorMetrics(registry)
    async with contextlib.AsyncExitStack() as stack:
        api = await connect()
        stack.push_async_callback(api.close)
        lease = LeaseLock(api, config.lease, identity)
        vitals = new_vitals(artifacts)
        ready = {"lease": lease.complaint, "api": api.complaint, **vitals.needed()}
        if config.workers.tls is not None:
            metrics.export_certificate_expiry(OwnCertificate(config.workers.tls).expiry)
        metrics.leader.set_function(lambda: float(lease.held))
        metrics.ready.set_function(lambda: float(not health.complaints(ready)))
        stack.enter_context(_metrics_server(config.metrics.listen, registry))
        address = await stack.enter_async_context(health.serving(config.health.listen, vitals.vital(), ready))
        log.info("answering probes", extra={"address": address})
        return await lead(
            lease, lambda halt: operate(config, artifacts, metrics, vitals, halt, identity), stop
        )


def _collect_garbage_rarely() -> None:
    """Looks for cycles more rarely than Python does by itself.

    Most of what is here lives long: the jobs. Looking through all of them again and again takes an eighth of
    the processor time when many start at once, and nearly all garbage goes by its reference count alone.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _set_by_signals() -> asyncio.Event:
    """An event that is set when somebody wants the process to end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@contextlib.contextmanager
def _metrics_server(listen: str, registry: prometheus_client.CollectorRegistry) -> Iterator[None]:
    """Answers ``/metrics`` from a thread of its own."""
    where = Address.parse(listen)
    httpd, thread = prometheus_client.start_http_server(where.port, where.host, registry)
    try:
        yield
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
