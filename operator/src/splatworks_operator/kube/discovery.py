"""Which workers there are: from the EndpointSlices of their Services, or from a fixed list of addresses.

Each worker is asked who it is (``GetWorker``) when it appears and every few seconds after: its ``instance``
tells a process from one that was started again in its place, and its capacity says how many slots it has. A
worker that is not ready or drains gets no new work but is still known, since it may yet finish what it runs.
One that does not answer holds up nobody else: each is asked in a task of its own. While the API server does
not answer, what was known last stays true.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from splatworks.v1 import worker_pb2
from splatworks_common.addresses import Address
from splatworks_operator.kube.api import Api, ApiError, Resource, path
from splatworks_operator.kube.config import WorkersConfig
from splatworks_operator.kube.slots import Capacity
from splatworks_operator.kube.workers import Unreachable
from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName, WorkerRef

log = logging.getLogger(__name__)

_DESCRIBE_SECONDS = 10.0
_WATCH_SECONDS = 300
_RETRY_SECONDS = 2.0
_SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True)
class Endpoint:
    """One address behind a service.

    Attributes:
        stage: What the service does.
        name: The pod's name; the address where no pod is named.
        address: host:port of its gRPC server.
        ready: False where it should get no new work.
        is_pod: Whether ``name`` is a pod's.
    """

    stage: StageName
    name: str
    address: str
    ready: bool
    is_pod: bool


class Describes(Protocol):
    """Asks a worker who it is."""

    async def describe(self, stage: StageName, address: str) -> worker_pb2.GetWorkerResponse:
        """The worker's own words, or ``Unreachable``."""

    def forget(self, address: str) -> None:
        """Closes the connection to a worker that is gone."""


class Discovery:
    """The table of workers.

    Args:
        config: Where to look.
        calls: Asks a worker who it is.
        on_change: Given all workers whenever something about one has changed.
    """

    def __init__(
        self, config: WorkersConfig, calls: Describes, on_change: Callable[[list[Capacity]], None]
    ) -> None:
        self._config = config
        self._calls = calls
        self._on_change = on_change
        self._endpoints: dict[str, Endpoint] = {}
        self._known: dict[str, Capacity] = {}
        self._to_ask: asyncio.Queue[Endpoint] = asyncio.Queue()
        self.synced = asyncio.Event()
        """Set once every worker of the first list was asked."""

    def knows(self, worker: WorkerRef) -> bool:
        """Whether there may still be a process at the worker's address."""
        endpoint = self._endpoints.get(worker.name)
        return not self.synced.is_set() or (endpoint is not None and endpoint.address == worker.address)

    def of_stage(self, stage: StageName) -> list[WorkerRef]:
        """The workers of a stage that answer, by name."""
        found = [known.worker for known in self._known.values() if known.stage is stage and known.open]
        return sorted(found, key=lambda worker: worker.name)

    def pods(self, stage: StageName) -> list[str]:
        """The pods of a stage."""
        return sorted(
            endpoint.name
            for endpoint in self._endpoints.values()
            if endpoint.stage is stage and endpoint.is_pod
        )

    async def run(self, api: Api) -> None:
        """Keeps the table true until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ask_all_now_and_then())
            tasks.create_task(self._ask_when_told(tasks))
            if self._config.addresses:
                await self._replace(self._fixed())
            else:
                tasks.create_task(self._follow_slices(api))

    def ask_again(self, worker: WorkerRef) -> None:
        """Has a worker that did not behave as it was known describe itself; until then it gets no work."""
        known = self._known.get(worker.name)
        if known is not None and known.worker == worker:
            self._known[worker.name] = replace(known, open=False)
            self._on_change(list(self._known.values()))
        endpoint = self._endpoints.get(worker.name)
        if endpoint is not None:
            self._to_ask.put_nowait(endpoint)

    def _fixed(self) -> list[Endpoint]:
        stages = {call.service: stage for stage, call in CALLS.items()}
        return [
            Endpoint(stages[service], address, address, ready=True, is_pod=False)
            for service, addresses in self._config.addresses.items()
            for address in addresses
        ]

    async def _follow_slices(self, api: Api) -> None:
        while True:
            try:
                async for slices in self._slices(api):
                    await self._replace(endpoints(slices, self._config))
            except ApiError as error:
                if error.status != 410:
                    log.warning("the workers' EndpointSlices can not be followed: %s", error)
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _slices(self, api: Api) -> AsyncIterator[Iterable[Resource]]:
        """All slices, again after each change."""
        where = path("discovery.k8s.io/v1", "endpointslices", self._config.namespace)
        ours = f"{_SERVICE_LABEL} in ({','.join(sorted(self._config.services.values()))})"
        listed = await api.get(where, labelSelector=ours)
        slices = {found["metadata"]["name"]: found for found in listed["items"]}
        version = listed["metadata"]["resourceVersion"]
        yield slices.values()
        while True:
            async for event in api.watch(where, since=version, seconds=_WATCH_SECONDS, labelSelector=ours):
                found = event["object"]
                version = found["metadata"]["resourceVersion"]
                if event["type"] == "BOOKMARK":
                    continue
                if event["type"] == "DELETED":
                    slices.pop(found["metadata"]["name"], None)
                else:
                    slices[found["metadata"]["name"]] = found
                yield slices.values()

    async def _replace(self, found: Iterable[Endpoint]) -> None:
        before, self._endpoints = self._endpoints, {endpoint.name: endpoint for endpoint in found}
        for name, old in before.items():
            now = self._endpoints.get(name)
            if now is None or now.address != old.address:
                self._known.pop(name, None)
                self._calls.forget(old.address)
            elif not now.ready:
                self._close(now)
        fresh = [endpoint for name, endpoint in self._endpoints.items() if before.get(name) != endpoint]
        if self.synced.is_set():
            self._on_change(list(self._known.values()))
            for endpoint in fresh:
                self._to_ask.put_nowait(endpoint)
        else:
            await self._ask(fresh)
            self._on_change(list(self._known.values()))
            self.synced.set()

    async def _ask_all_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_DESCRIBE_SECONDS)
            await self._ask(self._endpoints.values())

    async def _ask_when_told(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            tasks.create_task(self._ask_one(await self._to_ask.get()))

    async def _ask(self, endpoints: Iterable[Endpoint]) -> None:
        await asyncio.gather(*(self._ask_one(endpoint) for endpoint in endpoints))

    async def _ask_one(self, endpoint: Endpoint) -> None:
        try:
            answer = await self._calls.describe(endpoint.stage, endpoint.address)
        except Unreachable:
            answer = None
        if self._endpoints.get(endpoint.name) != endpoint:
            return  # it is gone, or another one, by now
        before = self._known.get(endpoint.name)
        if answer is None:
            self._close(endpoint)
        else:
            self._learn(endpoint, answer)
        if self.synced.is_set() and self._known.get(endpoint.name) != before:
            self._on_change(list(self._known.values()))

    def _close(self, endpoint: Endpoint) -> None:
        known = self._known.get(endpoint.name)
        if known is not None:
            self._known[endpoint.name] = replace(known, open=False)

    def _learn(self, endpoint: Endpoint, answer: worker_pb2.GetWorkerResponse) -> None:
        if answer.stage != endpoint.stage:
            log.error(
                "%s answers for stage %s where a worker for %s should be; it gets no work",
                endpoint.address,
                answer.stage,
                endpoint.stage,
            )
            return
        self._known[endpoint.name] = Capacity(
            WorkerRef(endpoint.name, endpoint.address, answer.instance),
            endpoint.stage,
            answer.capacity,
            open=endpoint.ready and not answer.draining,
        )


def endpoints(slices: Iterable[Mapping[str, Any]], config: WorkersConfig) -> list[Endpoint]:
    """The endpoints that EndpointSlices name; the same pod in several slices counts once."""
    stages = {config.services[call.service]: stage for stage, call in CALLS.items()}
    found: dict[str, Endpoint] = {}
    for one in slices:
        stage = stages.get(one["metadata"].get("labels", {}).get(_SERVICE_LABEL, ""))
        if stage is None:
            continue
        for endpoint in one.get("endpoints") or ():
            pod = (endpoint.get("targetRef") or {}).get("name", "")
            for address in endpoint["addresses"][:1]:
                where = str(Address(address, config.port))
                conditions = endpoint.get("conditions") or {}
                ready = conditions.get("ready") is not False and not conditions.get("terminating")
                found[pod or where] = Endpoint(stage, pod or where, where, ready, is_pod=bool(pod))
    return list(found.values())
