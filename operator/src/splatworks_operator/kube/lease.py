"""The Lease that lets only one replica of the operator act.

As in client-go, clocks of different machines are never compared: a Lease is free when this process has seen
no change of it for as long as it lasts. Whoever holds it renews it three times in that span, and gives up
well before anybody else may take it. ``keep`` returns when the Lease is lost; the process must then end at
once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

from splatworks_operator.kube.api import Api, ApiError, Resource, path
from splatworks_operator.kube.config import LeaseConfig

log = logging.getLogger(__name__)

_VERSION, _PLURAL = "coordination.k8s.io/v1", "leases"


class LeaseLock:
    """One replica's hold on the Lease.

    Args:
        api: The API server.
        config: Which Lease.
        identity: Who this replica is; unique for every process.
        seconds: How long the Lease lasts without being renewed.
    """

    def __init__(self, api: Api, config: LeaseConfig, identity: str, *, seconds: int = 15) -> None:
        self._api = api
        self._list = path(_VERSION, _PLURAL, config.namespace)
        self._path = path(_VERSION, _PLURAL, config.namespace, config.name)
        self._name = config.name
        self._identity = identity
        self._seconds = seconds
        self._lease: Resource | None = None
        self._changed_at = 0.0
        self._renewed_at: float | None = None

    @property
    def held(self) -> bool:
        """Whether this replica may act."""
        return self._renewed_at is not None and time.monotonic() - self._renewed_at < self._patience

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as is known."""
        return str(self._spec().get("holderIdentity") or "nobody")

    @property
    def _patience(self) -> float:
        """How long a holder goes on without an answer: safely shorter than the Lease lasts."""
        return self._seconds * 2 / 3

    @property
    def _pause(self) -> float:
        return self._seconds / 3

    async def acquire(self) -> None:
        """Returns once this replica holds the Lease."""
        taken = await self._take_if_free()
        while not taken:
            await asyncio.sleep(self._pause)
            taken = await self._take_if_free()
        log.info("this replica is the leader")

    async def keep(self) -> None:
        """Renews the Lease for as long as it can be; returns when it is lost."""
        while self.held:
            try:
                async with asyncio.timeout(self._patience):
                    await self._write()
            except (ApiError, TimeoutError) as error:
                if isinstance(error, ApiError) and error.conflict:
                    log.error("the Lease was taken by another replica")
                    break
                log.warning("the Lease was not renewed: %s", error)
                await asyncio.sleep(min(1.0, self._pause))
            else:
                await asyncio.sleep(self._pause)
        self._renewed_at = None

    async def release(self) -> None:
        """Lets another replica take over without waiting. Nothing may be acted upon any more."""
        if not self.held:
            return
        self._renewed_at = None
        try:
            await self._write(holder="")
        except ApiError as error:
            log.warning("the Lease was not given back; it ends by itself: %s", error)

    async def _take_if_free(self) -> bool:
        try:
            await self._look()
            if not self._free():
                return False
            await self._write()
        except ApiError as error:
            if not error.conflict:  # a conflict: somebody else was faster
                log.warning("the Lease can not be read or taken: %s", error)
            return False
        return True

    async def _look(self) -> None:
        before = self._lease and self._lease["metadata"]["resourceVersion"]
        try:
            self._lease = await self._api.get(self._path)
        except ApiError as error:
            if not error.not_found:
                raise
            self._lease = None
            return
        if self._lease["metadata"]["resourceVersion"] != before:
            self._changed_at = time.monotonic()

    def _free(self) -> bool:
        if self._lease is None or not self._spec().get("holderIdentity"):
            return True
        lasts = self._spec().get("leaseDurationSeconds") or self._seconds
        return time.monotonic() - self._changed_at > lasts

    async def _write(self, holder: str | None = None) -> None:
        started = time.monotonic()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        holder = self._identity if holder is None else holder
        spec = {
            **self._spec(),
            "holderIdentity": holder,
            "leaseDurationSeconds": self._seconds,
            "renewTime": now,
        }
        if self._spec().get("holderIdentity") != holder:
            spec |= {"acquireTime": now, "leaseTransitions": self._spec().get("leaseTransitions", 0) + 1}
        if self._lease is None:
            body = {
                "apiVersion": _VERSION,
                "kind": "Lease",
                "metadata": {"name": self._name},
                "spec": {**spec, "leaseTransitions": 0},
            }
            self._lease = await self._api.create(self._list, body)
        else:
            self._lease = await self._api.replace(self._path, {**self._lease, "spec": spec})
        self._renewed_at = started if holder else None

    def _spec(self) -> dict[str, Any]:
        return dict((self._lease or {}).get("spec") or {})
