"""``splatworks logs``: what the workers wrote about one job.

A worker's log holds lines of every job that it ran; a job's own carry its request ids,
``{uid}.{stage}.{attempt}``. The pod of a failed attempt is no longer in the job's status, so all pods of the
stage's service are looked through then.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from splatworks_operator.cluster.connection import Connection
from splatworks_operator.cluster.errors import ClusterUnreachable, Forbidden, NotFound
from splatworks_operator.cluster.jobs import SplatJobs
from splatworks_operator.cluster.refusals import Asked
from splatworks_operator.cluster.splatjob import SplatJob
from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName, StageState, StageStatus

_DEFAULT_NAMESPACE = "splatworks"
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_LAST_LINES_SECONDS = 2.0

Print = Callable[[str], None]


@dataclass(frozen=True)
class Selection:
    """Which lines of a job.

    Attributes:
        job: The job.
        stage: One stage only; None for all.
        raw: Lines as the worker wrote them.
    """

    job: SplatJob
    stage: StageName | None = None
    raw: bool = False

    @property
    def stages(self) -> list[StageStatus]:
        """The stages that have begun."""
        return [
            stage for stage in self.job.status.stages if stage.attempt and self.stage in (None, stage.name)
        ]

    def read(self, line: str) -> str | None:
        """The line for people, or None where it is not about this job."""
        try:
            record = json.loads(line)
        except ValueError:
            return None
        request = str(record.get("request_id", "")) if isinstance(record, dict) else ""
        uid, _, rest = request.partition(".")
        stage = rest.partition(".")[0]
        if uid != self.job.uid or (self.stage is not None and stage != self.stage):
            return None
        return line if self.raw else _for_people(record, stage)


class WorkerLogs:
    """The logs of the workers, in the namespaces where they may be.

    Args:
        connection: To the cluster.
        namespaces: Where to look, in this order.
    """

    def __init__(self, connection: Connection, namespaces: Sequence[str]) -> None:
        self._connection = connection
        self._namespaces = list(dict.fromkeys(namespaces))

    async def show(self, selection: Selection, put: Print, complain: Print) -> bool:
        """Prints what there is.

        Args:
            selection: Which lines.
            put: Takes a line.
            complain: Takes a sentence about what there is not.

        Returns:
            Whether every stage's log was there.
        """
        complete = True
        for stage in selection.stages:
            pods = await self._pods(stage)
            if not pods:
                complete = False
                complain(_gone(stage))
            for pod in pods:
                async for line in self._lines(pod, selection):
                    put(line)
        return complete

    async def follow(self, jobs: SplatJobs, selection: Selection, put: Print, complain: Print) -> None:
        """Prints what there is, and what is written from now on, until the job has ended."""
        tail: asyncio.Task[None] | None = None
        running: tuple[StageName, int] | None = None
        if not any(stage.state is StageState.RUNNING for stage in selection.stages):
            await self.show(selection, put, complain)
        async with aclosing(jobs.follow(selection.job.name)) as states:
            async for job in states:
                stage = job.status.current
                now = None
                if stage is not None and stage.state is StageState.RUNNING:
                    now = (stage.name, stage.attempt)
                if now != running:
                    running = now
                    await _finish(tail)
                    wanted = stage is not None and selection.stage in (None, stage.name)
                    tail = None
                    if stage is not None and now is not None and wanted:
                        tail = asyncio.create_task(self._tail(stage, selection, put, complain))
                if job.status.phase.terminal:
                    await _finish(tail)
                    return

    async def _tail(self, stage: StageStatus, selection: Selection, put: Print, complain: Print) -> None:
        pods = await self._pods(stage)
        if not pods:
            complain(_gone(stage))
        for pod in pods:
            async for line in self._lines(pod, selection, follow=True):
                put(line)

    async def _pods(self, stage: StageStatus) -> list[Mapping[str, Any]]:
        """The pod that the stage ran on; where it is not known, all that may have been it.

        Raises:
            Forbidden: They may not be looked at.
        """
        refused: Forbidden | None = None
        for namespace in self._namespaces:
            try:
                if stage.worker is not None:
                    return [
                        await self._connection.request(
                            "GET", Asked("get", "pods", namespace, stage.worker.name)
                        )
                    ]
                selector = f"app.kubernetes.io/component={CALLS[stage.name].service}"
                asked = Asked("list", "pods", namespace)
                found = await self._connection.request("GET", asked, parameters={"labelSelector": selector})
                if found["items"]:
                    return list(found["items"])
            except NotFound:
                continue
            except Forbidden as error:
                refused = error
        if refused is not None:
            raise refused
        return []

    async def _lines(
        self, pod: Mapping[str, Any], selection: Selection, *, follow: bool = False
    ) -> AsyncGenerator[str]:
        """The job's lines in a pod's log, those of a container that was restarted first."""
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        container = _container(pod)
        asked = Asked("get", "pods/log", namespace, name)
        for previous in (True, False) if _restarted(pod, container) else (False,):
            parameters = {"container": container, "previous": str(previous).lower()}
            if follow and not previous:
                parameters["follow"] = "true"
            async with aclosing(self._connection.lines(asked, parameters=parameters)) as lines:
                async for line in lines:
                    if (shown := selection.read(line)) is not None:
                        yield shown


def namespaces(given: str | None, job: SplatJob) -> list[str]:
    """Where the workers may be: where somebody said, else where the chart puts them, else beside the job."""
    return [given] if given is not None else [_DEFAULT_NAMESPACE, job.namespace]


def _container(pod: Mapping[str, Any]) -> str:
    annotations = pod["metadata"].get("annotations") or {}
    return str(annotations.get(_DEFAULT_CONTAINER) or pod["spec"]["containers"][0]["name"])


def _restarted(pod: Mapping[str, Any], container: str) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return any(status["name"] == container and status.get("restartCount", 0) for status in statuses)


def _gone(stage: StageStatus) -> str:
    if stage.worker is None:
        return f"No pod that runs {stage.name} is there, and no log. --workers-namespace looks elsewhere."
    return (
        f"The pod {stage.worker.name} that ran {stage.name} is gone, and its log with it. "
        "--workers-namespace looks elsewhere."
    )


def _for_people(record: Mapping[str, Any], stage: str) -> str:
    time = str(record.get("time", ""))[11:19]
    level = str(record.get("level", "info"))
    said = "" if level == "info" else f"{level.upper()}: "
    trace = f"\n{record['exception']}" if record.get("exception") else ""
    more = " ".join(f"{name}={record[name]}" for name in ("outcome", "seconds") if name in record)
    return f"{time} {stage:<8} {said}{record.get('message', '')} {more}".rstrip() + trace


async def _finish(tail: asyncio.Task[None] | None) -> None:
    """Gives a tail the time to print the last lines of a stage that has ended; the pod's own log goes on."""
    if tail is None:
        return
    await asyncio.wait({tail}, timeout=_LAST_LINES_SECONDS)
    if not tail.done():
        tail.cancel()
    with contextlib.suppress(
        asyncio.CancelledError, ClusterUnreachable
    ):  # the pod ended, with what it had said
        await tail
