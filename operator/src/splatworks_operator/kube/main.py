"""The process ``splatworks-operator``.

Two loops: the main one holds the Lease and answers probes, another in its own thread acts (``operating``).
Where the Lease is lost, the process ends at that moment, whatever the other loop is doing. On SIGTERM the
acting part ends in order and the Lease is given back; jobs keep running on the workers in both cases.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import click
import prometheus_client

from splatworks_common import logs
from splatworks_common.addresses import Address
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.reasons import StageError
from splatworks_operator.kube import health
from splatworks_operator.kube.api import Api, ApiError, connect
from splatworks_operator.kube.artifacts import Artifacts, StoreArtifacts
from splatworks_operator.kube.config import ConfigError, OperatorConfig, load
from splatworks_operator.kube.lease import LeaseLock
from splatworks_operator.kube.metrics import OperatorMetrics
from splatworks_operator.kube.operating import Vitals, new_vitals, operate

log = logging.getLogger(__name__)

_LEASE_LOST = 3
"""Exit status where another replica may act now."""

_UNANSWERED_SECONDS = 20.0
_NOT_STARTED = "jobs are not driven yet"


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
        status = asyncio.run(run(read, artifacts))
    except (ConfigError, StageError, ApiError) as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(status)


async def run(config: OperatorConfig, artifacts: Artifacts) -> int:
    """Runs the operator until SIGTERM or SIGINT.

    Returns:
        The process's exit status.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    identity = f"{socket.gethostname()}_{secrets.token_hex(8)}"
    registry = prometheus_client.CollectorRegistry()
    metrics = OperatorMetrics(registry)
    async with contextlib.AsyncExitStack() as stack:
        api = await connect()
        stack.push_async_callback(api.close)
        lease = LeaseLock(api, config.lease, identity)
        vitals = new_vitals(artifacts)
        ready = {
            "lease": lambda: "" if lease.held else f"this replica does not lead; {lease.holder} does",
            "api": lambda: _unanswered(api),
            "operator": lambda: vitals.heartbeat.complaint() if vitals.started.is_set() else _NOT_STARTED,
            "watch": lambda: vitals.watch.complaint() if vitals.watch else "",
            "store": lambda: vitals.store.complaint(),
        }
        alive = {
            "operator": lambda: vitals.heartbeat.complaint() if vitals.started.is_set() else "",
            "watch": lambda: vitals.watch.lasting_complaint() if vitals.watch else "",
        }
        metrics.leader.set_function(lambda: float(lease.held))
        metrics.ready.set_function(lambda: float(not health.complaints(ready)))
        stack.enter_context(_metrics_server(config.metrics.listen, registry))
        address = await stack.enter_async_context(health.serving(config.health.listen, alive, ready))
        log.info("answering probes", extra={"address": address})
        return await _lead(config, artifacts, metrics, vitals, lease, stop, identity)


async def _lead(
    config: OperatorConfig,
    artifacts: Artifacts,
    metrics: OperatorMetrics,
    vitals: Vitals,
    lease: LeaseLock,
    stop: asyncio.Event,
    identity: str,
) -> int:
    """Waits for the Lease, and acts while it is held."""
    stopping = asyncio.create_task(stop.wait())
    acquiring = asyncio.create_task(lease.acquire())
    await asyncio.wait({stopping, acquiring}, return_when=asyncio.FIRST_COMPLETED)
    if not acquiring.done():
        acquiring.cancel()
        return 0
    halt = threading.Event()
    acting = asyncio.create_task(
        asyncio.to_thread(asyncio.run, operate(config, artifacts, metrics, vitals, halt, identity))
    )
    keeping = asyncio.create_task(lease.keep())
    await asyncio.wait({stopping, acting, keeping}, return_when=asyncio.FIRST_COMPLETED)
    if not stop.is_set() and not acting.done():
        log.critical("the Lease is lost; stopping at once")
        logging.shutdown()
        os._exit(_LEASE_LOST)
    halt.set()
    await asyncio.wait({acting, keeping}, return_when=asyncio.FIRST_COMPLETED)
    if not acting.done():
        logging.shutdown()
        os._exit(_LEASE_LOST)
    keeping.cancel()
    await lease.release()
    stopping.cancel()
    acting.result()
    if not stop.is_set():
        log.error("the operator ended by itself")
        return 1
    return 0


def _unanswered(api: Api) -> str:
    if api.answered is None:
        return "the API server has not answered yet"
    silent = time.monotonic() - api.answered
    return "" if silent < _UNANSWERED_SECONDS else f"the API server has not answered for {silent:.0f} s"


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
