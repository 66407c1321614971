"""``/healthz`` and ``/readyz``: whether the operator lives, and whether it can do its work, or why not.

Ready means: this replica leads, the API server answers, its watch shows what happens, and the object store
answers. Alive means: the loop that drives jobs still turns, and the watch has not been deaf for long; the
kubelet then starts the process again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

from aiohttp import web

from splatworks_common.addresses import Address
from splatworks_common.reasons import StageError
from splatworks_operator.kube.api import ApiError
from splatworks_operator.kube.artifacts import Artifacts
from splatworks_operator.kube.splatjobs import SplatJobs

log = logging.getLogger(__name__)

Check = Callable[[], str]
"""Says what is wrong, or ""; called from the thread of the HTTP server."""

_BEAT_SECONDS = 1.0
_SILENT_BEAT_SECONDS = 30.0
_PROBE_SECONDS = 20.0
AUDIT_SECONDS = 30.0
"""How long the watch may take to show a change."""

_DEAF_TOO_LONG_SECONDS = 300.0
_PUNCTUAL = 0.1
"""A pause that lasts no more than this share longer than it was to is taken for one of its length."""


def complaints(checks: Mapping[str, Check]) -> list[str]:
    """What is wrong, one line each."""
    found = [(name, check()) for name, check in checks.items()]
    return [f"{name}: {complaint}" for name, complaint in found if complaint]


@contextlib.asynccontextmanager
async def serving(address: str, alive: Mapping[str, Check], ready: Mapping[str, Check]) -> AsyncIterator[str]:
    """Answers ``/healthz`` and ``/readyz`` while the context is open.

    Yields:
        The address that is listened on.
    """
    app = web.Application()
    app.router.add_get("/healthz", _answer(alive))
    app.router.add_get("/readyz", _answer(ready))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    where = Address.parse(address)
    try:
        await web.TCPSite(runner, where.host, where.port).start()
        yield str(Address(where.host, runner.addresses[0][1]))
    finally:
        await runner.cleanup()


def _answer(checks: Mapping[str, Check]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        found = complaints(checks)
        return web.Response(text="\n".join(found or ["ok"]) + "\n", status=503 if found else 200)

    return answer


class Heartbeat:
    """Whether an event loop still turns."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    async def run(self) -> None:
        """Beats in the loop that is watched, until cancelled."""
        while True:
            self._last = time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)

    def complaint(self) -> str:
        """What is wrong, or ""."""
        silent = time.monotonic() - self._last
        return "" if silent < _SILENT_BEAT_SECONDS else f"the operator has been stuck for {silent:.0f} s"


class StoreProbe:
    """Whether the object store answers."""

    def __init__(self, artifacts: Artifacts, *, seconds: float = _PROBE_SECONDS) -> None:
        self._artifacts = artifacts
        self._seconds = seconds
        self._complaint = "the object store has not been asked yet"

    async def run(self) -> None:
        """Asks now and then, until cancelled."""
        while True:
            try:
                await self._artifacts.manifest(f"s3://{self._artifacts.bucket}/readiness")
                self._complaint = ""
            except StageError as error:
                self._complaint = str(error)
            await asyncio.sleep(self._seconds)

    def complaint(self) -> str:
        """What is wrong, or ""."""
        return self._complaint


class WatchAudit:
    """Whether the watch shows what happens.

    A watch that has gone deaf looks like a quiet cluster. So the versions of all jobs are listed now and
    then: one that the watch has still not shown by the next time was missed. A watch that shows anything
    meanwhile is late rather than deaf, and so it may be where this process had no time to read it.

    Args:
        jobs: The API server.
        seen: The version of a job, by uid, that the watch last showed.
        namespaces: Which are watched, each by a watch of its own; empty for all by one.
        seconds: How long a change may take to be shown.
    """

    def __init__(
        self,
        jobs: SplatJobs,
        seen: Callable[[str], str | None],
        namespaces: Iterable[str],
        *,
        seconds: float,
    ) -> None:
        self._jobs = jobs
        self._seen = seen
        self._namespaces = [*namespaces] or [""]
        self._seconds = seconds
        self._shown: dict[str, dict[str, str | None]] = {}
        self._behind: dict[str, set[str]] = {}
        self._deaf_since: float | None = None

    async def run(self) -> None:
        """Audits now and then, until cancelled."""
        while True:
            await self._pause()
            try:
                listed = {namespace: await self._jobs.versions([namespace]) for namespace in self._namespaces}
            except ApiError as error:
                log.warning("the watch can not be audited: %s", error)
            else:
                self._judge(sum(self._missed(*each) for each in listed.items()))

    async def _pause(self) -> None:
        """Waits for so long, and as long again as this process was kept from running meanwhile."""
        left = self._seconds
        while left > self._seconds * _PUNCTUAL:
            due = time.monotonic() + left
            await asyncio.sleep(left)
            left = time.monotonic() - due

    def _missed(self, namespace: str, listed: Mapping[str, str]) -> int:
        """How many jobs the watch of a namespace ought to have shown since the last time."""
        shown = {uid: self._seen(uid) for uid in listed}
        behind = {uid for uid, version in listed.items() if shown[uid] != version}
        before, behind_before = self._shown.get(namespace, {}), self._behind.get(namespace, set())
        self._shown[namespace], self._behind[namespace] = shown, behind
        shows_anything = any(version != before.get(uid) for uid, version in shown.items())
        return 0 if shows_anything else len(behind & behind_before)

    def _judge(self, missed: int) -> None:
        if not missed:
            self._deaf_since = None
        elif self._deaf_since is None:
            self._deaf_since = time.monotonic()
            log.error("the watch of SplatJobs does not show what happens; %d jobs were missed", missed)

    def complaint(self) -> str:
        """What is wrong, or ""."""
        return "" if self._deaf_since is None else "the watch of SplatJobs does not show what happens"

    def lasting_complaint(self) -> str:
        """What has been wrong for too long, or ""."""
        since = self._deaf_since
        lasting = since is not None and time.monotonic() - since > _DEAF_TOO_LONG_SECONDS
        return self.complaint() if lasting else ""
