"""Says which pods are busy, so that scaling a Deployment down removes an idle one.

A ReplicaSet removes the pods with the lowest ``controller.kubernetes.io/pod-deletion-cost`` first. Only
stages with several pods are marked: of one pod there is no choice. A pod that becomes idle keeps its mark for
a while, since the next job usually takes it at once; so a busy cluster costs no writes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from splatworks_operator.kube.api import Api, ApiError, path
from splatworks_operator.kube.discovery import Discovery
from splatworks_operator.kube.slots import SlotTable
from splatworks_operator.status import StageName

log = logging.getLogger(__name__)

ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
BUSY, IDLE = "1000", "0"

_LOOK_SECONDS = 2.0
_IDLE_SECONDS = 30.0


class DeletionCost:
    """Keeps the marks of the workers' pods true.

    Args:
        api: The API server.
        namespace: Where the pods live.
        discovery: Which pods there are.
        slots: Who is busy.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        api: Api,
        namespace: str,
        discovery: Discovery,
        slots: SlotTable,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._discovery = discovery
        self._slots = slots
        self._clock = clock
        self._marks: dict[str, str] = {}
        self._busy_at: dict[str, float] = {}

    async def run(self) -> None:
        """Looks every few seconds, until cancelled."""
        while True:
            try:
                await self.mark()
            except ApiError as error:
                log.warning("pods can not be marked as busy: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)

    async def mark(self) -> None:
        """Writes what has changed since the last time."""
        by_stage = [self._discovery.pods(stage) for stage in StageName]
        pods = {pod for found in by_stage if len(found) > 1 for pod in found}
        for gone in self._marks.keys() - pods:
            del self._marks[gone]
            self._busy_at.pop(gone, None)
        now = self._clock()
        self._busy_at |= {hold.worker.name: now for hold in self._slots.holds if hold.worker.name in pods}
        for pod in sorted(pods):
            busy = now - self._busy_at.get(pod, float("-inf")) < _IDLE_SECONDS
            await self._mark(pod, BUSY if busy else IDLE)

    async def _mark(self, pod: str, cost: str) -> None:
        where = path("v1", "pods", self._namespace, pod)
        try:
            if pod not in self._marks:  # an operator before this one may have marked it
                annotations = (await self._api.get(where))["metadata"].get("annotations") or {}
                self._marks[pod] = annotations.get(ANNOTATION, IDLE)
            if self._marks[pod] != cost:
                await self._api.patch(where, {"metadata": {"annotations": {ANNOTATION: cost}}})
                self._marks[pod] = cost
        except ApiError as error:
            if not error.not_found:  # it is gone; discovery will say so soon
                raise
