"""``splatworks submit``: photos on this machine, or in the store, become a SplatJob."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from splatworks_common.artifacts.uri import S3Uri
from splatworks_operator.cluster import manifests
from splatworks_operator.cluster.connection import Connection
from splatworks_operator.cluster.jobs import SplatJobs
from splatworks_operator.cluster.splatjob import SplatJob
from splatworks_operator.cluster.store_access import StoreAccess, open_store
from splatworks_operator.cluster.uploads import upload, upload_uri
from splatworks_operator.photos import check, scene_slug


@dataclass(frozen=True)
class Request:
    """A job to make of photos.

    Attributes:
        photos: A folder, a .zip, or an s3:// address.
        name: The job's name; None takes that of the photos.
        spec: What was said about it, as a part of a spec.
        store: Where local photos go.
    """

    photos: str
    name: str | None
    spec: Mapping[str, Any]
    store: StoreAccess

    @property
    def local(self) -> Path | None:
        """The photos where they are on this machine."""
        return None if self.photos.startswith("s3://") else Path(self.photos)


def compose(request: Request, namespace: str | None) -> dict[str, Any]:
    """The SplatJob for a request; local photos are given the address that they are uploaded to.

    Raises:
        StageError: There are no photos, or what there is are none.
        WrongUsage: The name or the spec can not be used.
    """
    photos = request.local
    if photos is None:
        name = request.name or manifests.name_of_photos(request.photos)
        uri = request.photos
    else:
        check(photos)
        name = request.name or manifests.job_name(scene_slug(photos))
        uri = str(upload_uri(request.store.bucket_name, name))
    return manifests.manifest(
        name, namespace, manifests.merged(request.spec, manifests.nested(("source", "uri"), uri))
    )


async def submit(
    resource: Mapping[str, Any], request: Request, connection: Connection, console: Console
) -> SplatJob:
    """Uploads what is on this machine and makes the job.

    The cluster is asked first whether it would take the job, so that nobody waits for an upload in vain.

    Args:
        resource: What ``compose`` made of the request.
        request: The request.
        connection: To the cluster.
        console: Hears of bytes.

    Raises:
        ClusterError: The cluster does not take the job, or the store is not known.
        StageError: The photos can not be used, or the store does not answer.
    """
    jobs = SplatJobs(connection)
    if request.local is None:
        return await jobs.create(resource)
    await jobs.create(resource, dry_run=True)
    uri = S3Uri.parse(resource["spec"]["source"]["uri"])
    async with open_store(request.store, connection) as store:
        await asyncio.to_thread(upload, store, request.local, uri, console)
        try:
            return await jobs.create(resource)
        except BaseException:
            await asyncio.to_thread(store.delete_prefix, uri)  # no job will ever read it
            raise
