"""SplatJobs on a cluster: the requests that the commands are made of."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from splatworks_operator.cluster.connection import Connection
from splatworks_operator.cluster.errors import ClusterError, ClusterUnreachable, NotFound
from splatworks_operator.cluster.refusals import Asked
from splatworks_operator.cluster.splatjob import API_VERSION, SplatJob
from splatworks_operator.crd.definition import KIND, PLURAL

_PAGE = 500
_WATCH_SECONDS = 60
"""A watch is renewed so often, and whatever it has missed is read then."""
_GRACE_SECONDS = 15
PATIENCE_SECONDS = 300.0
"""How long jobs are still followed while the cluster does not answer."""
PAUSE_SECONDS = 1.0
"""Between two tries to reach it."""


class JobDeleted(ClusterError):
    """The job was deleted while it was followed."""


class SplatJobs:
    """The SplatJobs that one person may see.

    Args:
        connection: To their cluster.
        namespace: Where to look; None takes the connection's.
    """

    def __init__(self, connection: Connection, namespace: str | None = None) -> None:
        self._connection = connection
        self.namespace = namespace or connection.namespace

    async def create(self, resource: Mapping[str, Any], *, dry_run: bool = False) -> SplatJob:
        """Makes a job; with ``dry_run`` the cluster only says whether it would.

        Raises:
            ClusterError: The name is taken, or the cluster refuses it.
        """
        metadata = resource["metadata"]
        asked = Asked("create", PLURAL, metadata.get("namespace") or self.namespace, metadata.get("name", ""))
        return SplatJob(
            await self._connection.request(
                "POST",
                asked,
                version=API_VERSION,
                parameters={"dryRun": "All"} if dry_run else None,
                body=resource,
            )
        )

    async def get(self, name: str) -> SplatJob:
        """The job of that name.

        Raises:
            NotFound: There is none.
        """
        return SplatJob(await self._connection.request("GET", self._asked("get", name), version=API_VERSION))

    async def listed(self, *, everywhere: bool = False, selector: str = "") -> tuple[list[SplatJob], str]:
        """The jobs, oldest first, and the version of the list to watch from.

        Args:
            everywhere: In all namespaces.
            selector: A label selector.
        """
        asked = Asked("list", PLURAL, "" if everywhere else self.namespace)
        parameters: dict[str, str | int] = {"limit": _PAGE}
        if selector:
            parameters["labelSelector"] = selector
        jobs: list[SplatJob] = []
        while True:
            page = await self._connection.request("GET", asked, version=API_VERSION, parameters=parameters)
            jobs += [SplatJob(_named(item)) for item in page["items"]]
            if not (more := page["metadata"].get("continue")):
                ordered = sorted(jobs, key=lambda job: (job.namespace, job.created, job.name))
                return ordered, str(page["metadata"]["resourceVersion"])
            parameters["continue"] = more

    async def change(self, name: str, **fields: bool) -> SplatJob:
        """Changes fields of the job's spec."""
        return SplatJob(
            await self._connection.request(
                "PATCH", self._asked("patch", name), version=API_VERSION, body={"spec": fields}
            )
        )

    async def delete(self, name: str) -> None:
        """Deletes the job; its artifacts go or stay as its artifactPolicy says."""
        await self._connection.request("DELETE", self._asked("delete", name), version=API_VERSION)

    async def events(self, job: SplatJob) -> list[Mapping[str, Any]]:
        """What has happened to the job, oldest first."""
        found = await self._connection.request(
            "GET",
            Asked("list", "events", job.namespace),
            parameters={"fieldSelector": f"involvedObject.uid={job.uid}"},
        )
        return sorted(found["items"], key=lambda event: str(event.get("lastTimestamp") or ""))

    async def follow(self, name: str) -> AsyncGenerator[SplatJob]:
        """The job now, and again whenever it changes, whatever happens to the connection meanwhile.

        Raises:
            NotFound: There is no such job.
            JobDeleted: It was deleted meanwhile.
            ClusterUnreachable: The cluster has not answered for five minutes.
        """
        job = await self.get(name)
        uid, answered = job.uid, time.monotonic()
        while True:
            yield job
            try:
                async with aclosing(self._changes(job)) as changes:
                    async for job in changes:
                        answered = time.monotonic()
                        yield job
                job = await self.get(name)
                answered = time.monotonic()
            except NotFound as error:
                raise JobDeleted(f"SplatJob {name} was deleted.") from error
            except ClusterUnreachable:
                if time.monotonic() - answered > PATIENCE_SECONDS:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
            if job.uid != uid:
                raise JobDeleted(f"SplatJob {name} was deleted, and another has its name now.")

    async def watch(
        self, *, version: str, everywhere: bool = False, selector: str = ""
    ) -> AsyncGenerator[tuple[str, SplatJob]]:
        """What changes among the jobs from a list's version on, for a minute at most.

        Yields:
            "ADDED", "MODIFIED" or "DELETED", and the job.
        """
        asked = Asked("watch", PLURAL, "" if everywhere else self.namespace)
        selection = {"labelSelector": selector} if selector else {}
        async with aclosing(self._watch(asked, version, selection)) as events:
            async for kind, resource in events:
                yield kind, SplatJob(resource)

    async def _changes(self, job: SplatJob) -> AsyncGenerator[SplatJob]:
        asked = Asked("watch", PLURAL, job.namespace)
        only = {"fieldSelector": f"metadata.name={job.name}"}
        async with aclosing(self._watch(asked, job.version, only)) as events:
            async for kind, resource in events:
                if kind == "DELETED":
                    raise JobDeleted(f"SplatJob {job.name} was deleted.")
                yield SplatJob(resource)

    async def _watch(
        self, asked: Asked, version: str, selection: Mapping[str, str]
    ) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
        """Events until the watch ends, as it does every minute or when its version is too old."""
        parameters: dict[str, str | int] = {
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": _WATCH_SECONDS,
            **selection,
        }
        lines = self._connection.lines(
            asked,
            version=API_VERSION,
            parameters=parameters,
            quiet_seconds=_WATCH_SECONDS + _GRACE_SECONDS,
        )
        async with aclosing(lines):
            async for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]

    def _asked(self, verb: str, name: str) -> Asked:
        return Asked(verb, PLURAL, self.namespace, name)


def _named(item: dict[str, Any]) -> dict[str, Any]:
    """The items of a list do not say what they are."""
    return {"apiVersion": API_VERSION, "kind": KIND, **item}
