"""All jobs that the operator knows, by uid: a driver for each, for as long as its resource exists."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from splatworks_operator.kube.api import Resource
from splatworks_operator.kube.driver import JobDriver
from splatworks_operator.kube.platform import Platform

log = logging.getLogger(__name__)


class JobTable:
    """The drivers. Belongs to one event loop; ``snapshot`` may be called from any thread."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._drivers: dict[str, JobDriver] = {}
        self._seen: dict[str, str] = {}

    def load(self, resources: Iterable[Resource]) -> None:
        """Takes note of all resources before any is driven: no slot is given that one of them holds.

        One whose status this version can not read stands still and is logged; it does not stop the others.
        """
        for resource in resources:
            try:
                self.of(resource)
            except (ValueError, KeyError) as error:
                metadata = resource["metadata"]
                where = f"{metadata['namespace']}/{metadata['name']}"
                log.error("%s has a status of another version and is not driven: %r", where, error)

    def saw(self, resource: Resource) -> None:
        """Takes note of a resource that a watch shows."""
        uid = resource["metadata"]["uid"]
        self._seen[uid] = resource["metadata"]["resourceVersion"]
        self.of(resource).saw(resource)

    def knows(self, resource: Resource) -> bool:
        """Whether its driver has read or written this very version of a resource already."""
        driver = self._drivers.get(resource["metadata"]["uid"])
        return driver is not None and driver.knows(resource["metadata"]["resourceVersion"])

    def of(self, resource: Resource) -> JobDriver:
        """The driver of a resource; a new one at once holds the slot that its status says."""
        uid = resource["metadata"]["uid"]
        if uid not in self._drivers:
            self._drivers[uid] = JobDriver(self._platform, resource)
        return self._drivers[uid]

    def forget(self, uid: str) -> None:
        """The resource is gone."""
        self._seen.pop(uid, None)
        if self._drivers.pop(uid, None) is not None:
            self._platform.slots.release(uid)

    def seen(self, uid: str) -> str | None:
        """The version of a resource that the watch last showed."""
        return self._seen.get(uid)

    def snapshot(self) -> list[JobDriver]:
        """All drivers at this moment."""
        return list(self._drivers.values())
