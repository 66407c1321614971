"""The Lease that lets only one replica of the operator act.

As in client-go, clocks of different machines are never compared: a Lease is free when this process has seen
no change of it for as long as it lasts. Whoever holds it renews it three times in that span, and gives up
well before anybody else may take it. That a write is refused because the Lease has changed says nothing yet:
the answer to the write before may have been lost, or somebody may have annotated the Lease. So it is looked
at, and given up only where its holder is another one. ``keep`` returns when the Lease is lost; the process
must then end at once.
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
_NOBODY = ""


class TakenByAnother(Exception):
    """Another replica holds the Lease."""


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
        return self._left > 0

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as is known."""
        return self._holder or "nobody"

    def complaint(self) -> str:
        """What keeps this replica from acting, or ""."""
        return "" if self.held else f"this replica does not lead; {self.holder} does"

    @property
    def _patience(self) -> float:
        """How long a holder goes on without an answer: safely shorter than the Lease lasts."""
        return self._seconds * 2 / 3

    @property
    def _left(self) -> float:
        """How much of that is left."""
        return 0.0 if self._renewed_at is None else self._renewed_at + self._patience - time.monotonic()

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
                async with asyncio.timeout(self._left):
                    await self._write_again(self._identity)
            except TakenByAnother:
                log.error("the Lease was taken by another replica: %s", self.holder)
                break
            except (ApiError, TimeoutError) as error:
                log.warning("the Lease was not renewed: %s", str(error) or "no answer in time")
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
            await self._write_again(_NOBODY)
        except TakenByAnother:
            log.warning("the Lease was not given back: %s has it already", self.holder)
        except ApiError as error:
            log.warning("the Lease was not given back; it ends by itself: %s", error)

    async def _take_if_free(self) -> bool:
        try:
            await self._look()
            if not self._free():
                return False
            await self._write(self._identity)
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
        if self._holder in (_NOBODY, self._identity):
            return True  # ours, where the answer to the write that took it was lost
        lasts = self._spec().get("leaseDurationSeconds") or self._seconds
        return time.monotonic() - self._changed_at > lasts

    async def _write_again(self, holder: str) -> None:
        """Writes, over whatever has become of the Lease unless another replica has it."""
        try:
            await self._write(holder)
        except ApiError as error:
            if not (error.conflict or error.not_found):
                raise
            await self._look()
            if self._holder not in (_NOBODY, self._identity):
                raise TakenByAnother from None
            await self._write(holder)

    async def _write(self, holder: str) -> None:
        started = time.monotonic()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            **self._spec(),
            "holderIdentity": holder,
            "leaseDurationSeconds": self._seconds,
            "renewTime": now,
        }
        if self._holder != holder:
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
        self._renewed_at = None if holder == _NOBODY else started

    @property
    def _holder(self) -> str:
        return str(self._spec().get("holderIdentity") or _NOBODY)

    def _spec(self) -> dict[str, Any]:
        return dict((self._lease or {}).get("spec") or {})
