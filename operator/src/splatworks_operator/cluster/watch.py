"""``splatworks watch``: jobs as they change, live on a terminal and line by line elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from rich.console import Console
from rich.live import Live
from rich.text import Text

from splatworks_operator.cluster.errors import ClusterUnreachable
from splatworks_operator.cluster.jobs import PATIENCE_SECONDS, PAUSE_SECONDS, SplatJobs
from splatworks_operator.cluster.splatjob import SplatJob
from splatworks_operator.cluster.table import job_table
from splatworks_operator.display import Display
from splatworks_operator.status import JobStatus, Phase


async def watch_one(jobs: SplatJobs, name: str, console: Console) -> SplatJob:
    """Shows a job until it has ended, as the local run is shown.

    Returns:
        The job as it ended.

    Raises:
        ClusterError: There is no such job, it was deleted, or the cluster is gone for good.
    """
    said = ""
    with Display(console) as display:
        async with aclosing(jobs.follow(name)) as states:
            async for job in states:
                waiting = _waiting(job.status, name)
                if waiting and waiting != said:
                    console.print(waiting, markup=False, highlight=False, soft_wrap=True)
                said = waiting
                display.show(job.status)
                if job.status.phase.terminal:
                    return job
    raise AssertionError("a job is followed until it ends or an error is raised")


async def watch_all(
    jobs: SplatJobs, console: Console, *, everywhere: bool = False, selector: str = "", wide: bool = False
) -> None:
    """Shows all jobs until it is cancelled."""
    async with aclosing(_lists(jobs, everywhere=everywhere, selector=selector)) as states:
        if not console.is_terminal:
            await _print_changes(states, console)
            return
        with Live(console=console, auto_refresh=False) as live:
            async for found in states:
                lines = job_table(found, wide=wide, namespaces=everywhere)
                live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)


async def _print_changes(states: AsyncIterator[list[SplatJob]], console: Console) -> None:
    """A line whenever a job is somewhere else than before."""
    printed: dict[str, str] = {}
    async for found in states:
        for job in found:
            status = job.resource.get("status") or {}
            words = (status.get("phase", "Pending"), status.get("currentStage"), status.get("message"))
            line = "  ".join(str(word) for word in (f"{job.namespace}/{job.name}", *words) if word)
            if printed.get(job.uid) != line:
                printed[job.uid] = line
                console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _lists(jobs: SplatJobs, *, everywhere: bool, selector: str) -> AsyncGenerator[list[SplatJob]]:
    """All jobs now, and again whenever one changes, whatever happens to the connection meanwhile."""
    answered: float | None = None
    while True:
        try:
            found, version = await jobs.listed(everywhere=everywhere, selector=selector)
            answered = time.monotonic()
            known = {job.uid: job for job in found}
            yield list(known.values())
            changes = jobs.watch(version=version, everywhere=everywhere, selector=selector)
            async with aclosing(changes):
                async for kind, job in changes:
                    answered = time.monotonic()
                    known.pop(job.uid, None)
                    if kind != "DELETED":
                        known[job.uid] = job
                    yield sorted(known.values(), key=lambda job: (job.namespace, job.created, job.name))
        except ClusterUnreachable:
            if answered is None or time.monotonic() - answered > PATIENCE_SECONDS:
                raise
            await asyncio.sleep(PAUSE_SECONDS)


def _waiting(status: JobStatus, name: str) -> str:
    """What a job waits for; "" where it runs or has ended."""
    if status.phase is Phase.PENDING:
        return status.message or "Waiting for the operator to take the job up"
    if status.phase is Phase.SUSPENDED:
        return f"Suspended; 'splatworks resume {name}' lets it go on"
    return status.message if status.phase is Phase.QUEUED else ""
