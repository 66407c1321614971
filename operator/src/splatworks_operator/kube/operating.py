"""The part of the operator that acts: kopf with all that its handlers need, in one event loop of its own.

kopf ends by cancelling every task that was started after it in its loop, so nothing else may live there: what
must outlast it (Lease, health) runs in the process's main loop; see ``main``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import kopf

from splatworks_operator.kube import handlers
from splatworks_operator.kube.api import Api, ApiError, Resource, connect, credentials, open_session
from splatworks_operator.kube.artifacts import Artifacts
from splatworks_operator.kube.background import Background
from splatworks_operator.kube.config import OperatorConfig
from splatworks_operator.kube.deletion_cost import DeletionCost
from splatworks_operator.kube.discovery import Discovery
from splatworks_operator.kube.echoes import WithoutEchoes
from splatworks_operator.kube.health import AUDIT_SECONDS, Check, Heartbeat, StoreProbe, WatchAudit
from splatworks_operator.kube.jobs import JobTable
from splatworks_operator.kube.journal import Journal
from splatworks_operator.kube.metrics import OperatorMetrics
from splatworks_operator.kube.platform import Platform
from splatworks_operator.kube.slots import SlotTable
from splatworks_operator.kube.splatjobs import EventRecorder, SplatJobs
from splatworks_operator.kube.workers import WorkerCalls

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 3.0
_RETRY_SECONDS = 2.0


@dataclass
class Vitals:
    """What the outside may know of the acting part, from any thread.

    Attributes:
        heartbeat: Whether its loop turns.
        store: Whether the object store answers.
        background: Whether all goes on that is to go on.
        watch: Whether the watch shows what happens; None until it has begun.
        started: Set once jobs are driven.
        audit_seconds: How long the watch may take to show a change.
    """

    heartbeat: Heartbeat
    store: StoreProbe
    background: Background
    watch: WatchAudit | None
    started: threading.Event
    audit_seconds: float

    def needed(self) -> dict[str, Check]:
        """What must be well for it to do its work."""
        return {"operator": self._acts, "watch": self._sees, "store": self.store.complaint}

    def vital(self) -> dict[str, Check]:
        """What only a new process mends."""
        return {"operator": self._lives, "watch": self._has_seen_lately}

    def _acts(self) -> str:
        return self._lives() or ("" if self.started.is_set() else "jobs are not driven yet")

    def _lives(self) -> str:
        stuck = self.heartbeat.complaint() if self.started.is_set() else ""
        return self.background.complaint() or stuck

    def _sees(self) -> str:
        return "" if self.watch is None else self.watch.complaint()

    def _has_seen_lately(self) -> str:
        return "" if self.watch is None else self.watch.lasting_complaint()


def new_vitals(artifacts: Artifacts, audit_seconds: float = AUDIT_SECONDS) -> Vitals:
    """Vitals of an operator that has not begun."""
    return Vitals(Heartbeat(), StoreProbe(artifacts), Background(), None, threading.Event(), audit_seconds)


async def operate(
    config: OperatorConfig,
    artifacts: Artifacts,
    metrics: OperatorMetrics,
    vitals: Vitals,
    stop: threading.Event,
    identity: str,
) -> None:
    """Drives jobs until ``stop`` is set. Jobs keep running on the workers when this ends.

    Args:
        config: What the operator was told.
        artifacts: The object store.
        metrics: Where to count.
        vitals: Where to tell how it goes.
        stop: Ends the work; set, too, when it ends by itself.
        identity: Who this replica is.

    Raises:
        ApiError: There is no API server to speak to.
        EndedByItself: Something that is to go on meanwhile does not.
    """
    _quieten_kopf()
    async with _opened(config, artifacts, metrics, vitals, stop, identity) as jobs:
        registry = kopf.OperatorRegistry()
        handlers.register(registry, jobs, metrics)

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.AiohttpSession:
            info = await asyncio.to_thread(credentials)
            session = open_session(info, WithoutEchoes(lambda event: handlers.is_echo(event, jobs, metrics)))
            return kopf.AiohttpSession(server=str(info.server), aiohttp_session=session)

        driving = kopf.operator(
            registry=registry,
            settings=handlers.settings(),
            standalone=True,
            clusterwide=not config.namespaces,
            namespaces=config.namespaces,
            stop_flag=stop,
            ready_flag=vitals.started,
        )
        try:
            await vitals.background.during(driving)
        finally:
            stop.set()  # kopf waits for it in a thread, without whose end this loop does not end either


@contextlib.asynccontextmanager
async def _opened(
    config: OperatorConfig,
    artifacts: Artifacts,
    metrics: OperatorMetrics,
    vitals: Vitals,
    stop: threading.Event,
    identity: str,
) -> AsyncIterator[JobTable]:
    """Everything that handlers need, connected and running."""
    api: Api = await connect()
    calls = WorkerCalls(config.workers)
    slots = SlotTable()
    recorder = EventRecorder(api, identity)
    discovery = Discovery(config.workers, calls, slots.set_workers)
    resources = SplatJobs(api)
    platform = Platform(
        config=config,
        jobs=resources,
        workers=calls,
        known=discovery,
        slots=slots,
        artifacts=artifacts,
        post=recorder.post,
        observers=(metrics, Journal()),
    )
    jobs = JobTable(platform)
    metrics.export_tables(jobs, slots)
    vitals.watch = WatchAudit(resources, jobs.seen, config.namespaces, seconds=vitals.audit_seconds)
    background = vitals.background
    background.start("the heartbeat", vitals.heartbeat.run())
    background.start("the probe of the object store", vitals.store.run())
    background.start("the audit of the watch", vitals.watch.run())
    background.start("discovery", discovery.run(api))
    background.start("the posting of events", recorder.run())
    if not config.workers.addresses:
        cost = DeletionCost(api, config.workers.namespace, discovery, slots)
        background.start("the marking of busy pods", cost.run())
    try:
        await background.during(discovery.synced.wait())
        jobs.load(await background.during(_listed(resources, config.namespaces, stop)))
        yield jobs
        await recorder.flush(_FLUSH_SECONDS)
    finally:
        await background.stop()
        await calls.close()
        await api.close()


async def _listed(resources: SplatJobs, namespaces: Iterable[str], stop: threading.Event) -> list[Resource]:
    """All jobs, once the API server tells them: for seconds after the CRD was made it refuses to.

    None where ``stop`` is set before that; nobody drives them then.
    """
    while not stop.is_set():
        try:
            return await resources.list(namespaces)
        except ApiError as error:
            log.warning("the jobs can not be listed: %s", error)
            await asyncio.sleep(_RETRY_SECONDS)
    return []


def _quieten_kopf() -> None:
    """Leaves of kopf's log what somebody can act upon."""
    logging.getLogger("kopf").setLevel(logging.WARNING)  # below, it tells of every event it handles
    # It warns wherever it runs in a thread of its own. Here signals end it through ``stop_flag``; kopf has no
    # setting for that, so the one message is dropped.
    logging.getLogger("kopf._core.reactor.running").addFilter(_is_not_about_signals)


def _is_not_about_signals(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("OS signals are ignored")
