"""The part of the operator that acts: kopf with all that its handlers need, in one event loop of its own.

kopf ends by cancelling every task that was started after it in its loop, so nothing else may live there: what
must outlast it (Lease, health) runs in the process's main loop; see ``main``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass

import kopf

from splatworks_operator.kube import handlers
from splatworks_operator.kube.api import Api, connect, credentials, open_session
from splatworks_operator.kube.artifacts import Artifacts
from splatworks_operator.kube.config import OperatorConfig
from splatworks_operator.kube.deletion_cost import DeletionCost
from splatworks_operator.kube.discovery import Discovery
from splatworks_operator.kube.driver import Platform
from splatworks_operator.kube.health import AUDIT_SECONDS, Heartbeat, StoreProbe, WatchAudit
from splatworks_operator.kube.jobs import JobTable
from splatworks_operator.kube.metrics import OperatorMetrics
from splatworks_operator.kube.slots import SlotTable
from splatworks_operator.kube.splatjobs import EventRecorder, SplatJobs
from splatworks_operator.kube.workers import WorkerCalls

_FLUSH_SECONDS = 3.0


@dataclass
class Vitals:
    """What the outside may know of the acting part, from any thread.

    Attributes:
        heartbeat: Whether its loop turns.
        store: Whether the object store answers.
        watch: Whether the watch shows what happens; None until it has begun.
        started: Set once jobs are driven.
        audit_seconds: How long the watch may take to show a change.
    """

    heartbeat: Heartbeat
    store: StoreProbe
    watch: WatchAudit | None
    started: threading.Event
    audit_seconds: float


def new_vitals(artifacts: Artifacts, audit_seconds: float = AUDIT_SECONDS) -> Vitals:
    """Vitals of an operator that has not begun."""
    return Vitals(Heartbeat(), StoreProbe(artifacts), None, threading.Event(), audit_seconds)


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
        stop: Ends the work.
        identity: Who this replica is.

    Raises:
        ApiError: There is no API server to speak to.
    """
    logging.getLogger("kopf").setLevel(logging.WARNING)  # below, it tells of every event it handles
    async with _opened(config, artifacts, metrics, vitals, identity) as jobs:
        registry = kopf.OperatorRegistry()
        handlers.register(registry, jobs, metrics)

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.AiohttpSession:
            info = await asyncio.to_thread(credentials)
            return kopf.AiohttpSession(server=str(info.server), aiohttp_session=open_session(info))

        await kopf.operator(
            registry=registry,
            settings=handlers.settings(),
            standalone=True,
            clusterwide=not config.namespaces,
            namespaces=config.namespaces,
            stop_flag=stop,
            ready_flag=vitals.started,
        )


@contextlib.asynccontextmanager
async def _opened(
    config: OperatorConfig, artifacts: Artifacts, metrics: OperatorMetrics, vitals: Vitals, identity: str
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
        observer=metrics,
    )
    jobs = JobTable(platform)
    metrics.export_tables(jobs, slots)
    vitals.watch = WatchAudit(resources, jobs.seen, config.namespaces, seconds=vitals.audit_seconds)
    cost = DeletionCost(api, config.workers.namespace, discovery, slots)
    background = [
        asyncio.create_task(work)
        for work in (
            vitals.heartbeat.run(),
            vitals.store.run(),
            vitals.watch.run(),
            discovery.run(api),
            recorder.run(),
            *([] if config.workers.addresses else [cost.run()]),
        )
    ]
    try:
        await _first(asyncio.create_task(discovery.synced.wait()), *background)
        jobs.load(await resources.list(config.namespaces))
        yield jobs
        await recorder.flush(_FLUSH_SECONDS)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await calls.close()
        await api.close()


async def _first(awaited: asyncio.Task[bool], *background: asyncio.Task[None]) -> None:
    """Returns when ``awaited`` is done; a background task that fails before is raised."""
    done, _ = await asyncio.wait({awaited, *background}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
