"""One SplatJob as the API server has it, and its status as it should be: reads, compares and writes it.

A status is only written over the version it was decided from. A driver that has been replaced by another
replica's therefore can not write, and so can not start anything.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from splatworks_operator import resource
from splatworks_operator.explain import Event, events, worth_writing
from splatworks_operator.job import Job
from splatworks_operator.kube.api import ApiError, Resource
from splatworks_operator.kube.platform import Platform
from splatworks_operator.kube.splatjobs import to_job
from splatworks_operator.status import JobStatus

log = logging.getLogger(__name__)

_KNOWN_VERSIONS = 16
"""How many of the versions that it last wrote or read a record recognises when a watch shows them."""


_LONGEST_MESSAGE = 1024


class JobGone(Exception):
    """The resource was deleted, or is another one of the same name."""


class Superseded(Exception):
    """Somebody else has changed the resource since it was decided upon."""


class Record:
    """One job's resource.

    Attributes:
        resource: The SplatJob as last seen.
        status: Its status as last decided; what was decided and is not worth a write stays here.
    """

    def __init__(self, platform: Platform, found: Resource) -> None:
        self._platform = platform
        self.resource = found
        self.status = self._written = resource.from_resource(found.get("status") or {})
        self._written_at = time.monotonic()  # as good as: what has changed since can wait as long
        self._known_versions: deque[str] = deque(maxlen=_KNOWN_VERSIONS)
        self._complaints: set[str] = set()
        self._behind = False
        self._job: Job | None = None

    @property
    def uid(self) -> str:
        """The job's identity."""
        return str(self.resource["metadata"]["uid"])

    @property
    def name(self) -> str:
        """Namespace and name, for people."""
        return "/".join(self._where)

    @property
    def job(self) -> Job:
        """What is asked for, by the resource as last seen.

        Raises:
            pydantic.ValidationError: The spec is not one that this version knows.
        """
        generation = self.resource["metadata"].get("generation", 0)
        if self._job is None or self._job.generation != generation:
            self._job = to_job(
                self.resource,
                default_output=self._platform.default_output,
                viewer_base_url=self._platform.config.viewer_base_url,
            )
        return self._job

    def saw(self, seen: Resource) -> bool:
        """Takes note of the resource as a watch shows it, which may be behind what was written here.

        Returns:
            Whether that is news.
        """
        metadata = seen["metadata"]
        if self.knows(metadata["resourceVersion"]):
            return False
        if metadata.get("generation", 0) < self.resource["metadata"].get("generation", 0):
            return False
        if (seen.get("status") or {}) == (self.resource.get("status") or {}):
            self.resource = seen
        else:
            # An old echo, or another operator's write; which, only the API server can tell. Its version must
            # not be taken for one that this record has read, or that write would be written over.
            self._behind = True
        return True

    async def write(self, status: JobStatus) -> None:
        """Makes a status the job's own; writes it where that is worth a write, and tells of it.

        Raises:
            Superseded: The resource is not what the status was decided from.
            JobGone, ApiError: It can not be written.
        """
        self.status = status
        if not worth_writing(self._written, status, time.monotonic() - self._written_at):
            return
        changes = changed(self.resource.get("status") or {}, resource.to_resource(status))
        if changes:
            await self._patch(changes)
        old, self._written, self._written_at = self._written, status, time.monotonic()
        self._tell(old, status)

    def knows(self, version: str) -> bool:
        """Whether a version of the resource is one of the last that were read or written here."""
        return version in self._known_versions

    async def guard(self, finalizer: str) -> None:
        """Has the resource stay until the finalizer is removed.

        Raises:
            ApiError: It can not be had so; it is gone, for one, or was changed meanwhile.
        """
        metadata = self.resource["metadata"]
        finalizers = [*metadata.get("finalizers", ()), finalizer]
        version = metadata["resourceVersion"]
        self._adopt(await self._platform.jobs.set_finalizers(*self._where, version, finalizers))

    async def refresh(self) -> bool:
        """Catches up where a watch has shown a status that is not the one known here.

        Returns:
            Whether it had.

        Raises:
            JobGone, ApiError: As ``catch_up``.
        """
        if not self._behind:
            return False
        await self.catch_up()
        return True

    async def complain(self, reason: str, message: str) -> None:
        """Tells the job's owner what holds it up, in the status's message and by an event.

        Each message is told once, by this process and the one before it.

        Raises:
            JobGone, ApiError: It can not be written.
        """
        message = message[:_LONGEST_MESSAGE]
        if message in self._complaints:
            return
        log.warning("%s: %s", self.name, message)
        if (self.resource.get("status") or {}).get("message") != message:
            await self._write_message(message)
            self._platform.post(self.resource, Event("Warning", reason, message))
        self._complaints.add(message)

    async def _write_message(self, message: str) -> None:
        # The phase comes along since a status needs one, and nothing may have been written yet.
        changes = {"phase": self._written.phase.value, "message": message}
        try:
            await self._patch(changes)
        except Superseded:
            await self.catch_up()
            await self._patch(changes)
        self._written = replace(self._written, message=message)

    async def catch_up(self) -> None:
        """Takes over the resource as it is now, whoever made it so.

        Raises:
            JobGone: There is no such resource any more.
            ApiError: The API server does not tell.
        """
        fresh = await self._platform.jobs.get(*self._where)
        if fresh is None or fresh["metadata"]["uid"] != self.uid:
            raise JobGone(f"{self.name} was deleted")
        self._adopt(fresh)
        self._behind = False
        found = resource.from_resource(fresh.get("status") or {})
        if found == resource.from_resource(resource.to_resource(self.status)):
            self._tell(self._written, found)  # a write of one's own, whose answer was lost
        self.status = self._written = found

    def _tell(self, old: JobStatus, new: JobStatus) -> None:
        for event in events(old, new):
            self._platform.post(self.resource, event)
        for observer in self._platform.observers:
            observer.written(self.job, old, new)

    async def _patch(self, changes: Mapping[str, Any]) -> None:
        version = self.resource["metadata"]["resourceVersion"]
        try:
            fresh = await self._platform.jobs.patch_status(*self._where, version, changes)
        except ApiError as error:
            if error.not_found:
                raise JobGone(f"{self.name} was deleted") from error
            if error.conflict:
                raise Superseded from error
            raise
        self._adopt(fresh)

    def _adopt(self, fresh: Resource) -> None:
        self._known_versions.append(fresh["metadata"]["resourceVersion"])
        self.resource = fresh

    @property
    def _where(self) -> tuple[str, str]:
        metadata = self.resource["metadata"]
        return metadata["namespace"], metadata["name"]


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that makes ``new`` of ``old``; empty where they are equal."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := changed(before, value):
                patch[key] = inner
        elif value != before:
            patch[key] = value
    return patch
