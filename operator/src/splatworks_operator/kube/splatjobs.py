"""SplatJob resources, their Secrets and their events, as the driver needs them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_operator.crd.definition import GROUP, KIND, PLURAL, VERSION
from splatworks_operator.explain import Event
from splatworks_operator.job import Job
from splatworks_operator.kube.api import Api, ApiError, Resource, path
from splatworks_operator.spec import SplatJobSpec

log = logging.getLogger(__name__)

API_VERSION = f"{GROUP}/{VERSION}"
COMPONENT = "splatworks-operator"
"""Who events come from."""

_SECRET_KEYS = ("access-key", "secret-key")
_MAX_EVENTS = 10_000


@dataclass(frozen=True)
class Credentials:
    """Keys for photos that the platform's own can not read. Never shown when printed."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return "Credentials(...)"


def to_job(resource: Mapping[str, Any], *, default_output: S3Uri, viewer_base_url: str) -> Job:
    """The job that a resource describes.

    Args:
        resource: A SplatJob.
        default_output: Under which a job without ``spec.output.uri`` gets its folder.
        viewer_base_url: What a scene's path is added to.

    Raises:
        pydantic.ValidationError: The spec is not one that this version of the operator knows.
    """
    metadata = resource["metadata"]
    spec = SplatJobSpec.model_validate(resource["spec"])
    uid, name = metadata["uid"], metadata["name"]
    output = spec.output.uri or str(default_output)
    return Job(
        uid=uid,
        name=name,
        namespace=metadata["namespace"],
        created=int(datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()),
        generation=metadata.get("generation", 0),
        spec=spec,
        output_uri=f"{output.rstrip('/')}/{uid}",
        slug=f"{re.sub('[^a-z0-9-]', '-', name)[:52]}-{uid[:8]}",
        viewer_base_url=viewer_base_url,
    )


class SplatJobs:
    """Reads and writes SplatJobs. Every method may raise ``ApiError``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, namespaces: Iterable[str]) -> list[Resource]:
        """All resources of some namespaces; of all where none is named."""
        found: list[Resource] = []
        for namespace in [*namespaces] or [""]:
            found += (await self._api.get(path(API_VERSION, PLURAL, namespace or None)))["items"]
        return found

    async def versions(self, namespaces: Iterable[str]) -> dict[str, str]:
        """The version of every resource by its uid, of some namespaces or of all where none is named."""
        found: dict[str, str] = {}
        for namespace in [*namespaces] or [""]:
            listed = await self._api.metadata(path(API_VERSION, PLURAL, namespace or None))
            # A list of nothing but metadata has null where it is empty.
            for metadata in (item["metadata"] for item in listed["items"] or ()):
                found[metadata["uid"]] = metadata["resourceVersion"]
        return found

    async def get(self, namespace: str, name: str) -> Resource | None:
        """The resource as it is now; None where it is gone."""
        try:
            return await self._api.get(path(API_VERSION, PLURAL, namespace, name))
        except ApiError as error:
            if error.not_found:
                return None
            raise

    async def patch_status(
        self, namespace: str, name: str, version: str, changes: Mapping[str, Any]
    ) -> Resource:
        """Changes the status, provided that nobody has changed the resource since ``version``."""
        body = {"metadata": {"resourceVersion": version}, "status": changes}
        return await self._api.patch(path(API_VERSION, PLURAL, namespace, name, "status"), body)

    async def set_finalizers(
        self, namespace: str, name: str, version: str, finalizers: Sequence[str]
    ) -> Resource:
        """Sets what holds up the deletion, provided that nobody has changed the job since ``version``."""
        body = {"metadata": {"resourceVersion": version, "finalizers": [*finalizers]}}
        return await self._api.patch(path(API_VERSION, PLURAL, namespace, name), body)

    async def delete(self, job: Job) -> None:
        """Deletes the job; one that is gone is fine."""
        try:
            await self._api.delete(path(API_VERSION, PLURAL, job.namespace, job.name), uid=job.uid)
        except ApiError as error:
            if not (error.not_found or error.conflict):  # a conflict is another job of the same name
                raise

    async def source_credentials(self, namespace: str, name: str) -> Credentials:
        """The keys that a Secret holds.

        Raises:
            InputNotFound: There is no such Secret.
            InputInvalid: It has not both keys. No message names a value.
        """
        try:
            secret = await self._api.get(path("v1", "secrets", namespace, name))
        except ApiError as error:
            if error.not_found:
                raise InputNotFound(
                    f"spec.source.secretRef: there is no Secret {name} in namespace {namespace}."
                ) from None
            raise
        data = secret.get("data") or {}
        try:
            access, secret_key = (
                base64.b64decode(data[key], validate=True).decode("ascii").strip() for key in _SECRET_KEYS
            )
        except (KeyError, binascii.Error, UnicodeDecodeError):
            access = secret_key = ""
        if not access or not secret_key:
            raise InputInvalid(
                f"spec.source.secretRef: Secret {name} needs the keys {' and '.join(_SECRET_KEYS)}."
            ) from None
        return Credentials(access, secret_key)


class EventRecorder:
    """Posts Kubernetes events in the background, one after another, so that they never hold up the jobs.

    What can not be posted is logged.

    Example:
        >>> recorder.post(resource, Event("Normal", "Queued", "Waiting for a worker"))
    """

    def __init__(self, api: Api, instance: str) -> None:
        self._api = api
        self._instance = instance
        self._queue: asyncio.Queue[tuple[str, Resource]] = asyncio.Queue(_MAX_EVENTS)

    def post(self, resource: Mapping[str, Any], event: Event) -> None:
        """Has an event about a SplatJob posted soon."""
        metadata = resource["metadata"]
        if self._queue.full():
            log.warning("too many events wait; not posted: %s %s", event.reason, metadata["name"])
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name'][:200]}.{time.time_ns():x}"},  # as client-go names them
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message,
            "action": event.reason,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
        }
        self._queue.put_nowait((metadata["namespace"], body))

    async def run(self) -> None:
        """Posts until cancelled."""
        while True:
            namespace, body = await self._queue.get()
            try:
                await self._api.create(path("v1", "events", namespace), body)
            except ApiError as error:
                log.warning("an event was not posted (%s): %s", body["reason"], error)
            finally:
                self._queue.task_done()

    async def flush(self, seconds: float) -> None:
        """Waits until all is posted, at most so long; ``run`` must be running."""
        try:
            await asyncio.wait_for(self._queue.join(), seconds)
        except TimeoutError:
            log.warning("stopping with %d events unposted", self._queue.qsize())
