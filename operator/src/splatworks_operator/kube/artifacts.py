"""What the operator does with a job's files: read what a stage finished, and delete what nobody needs.

Bulk data never comes here. The store is asked in threads, so a slow store stops no other job.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from splatworks_common.artifacts.manifest import Manifest
from splatworks_common.artifacts.settings import RetryPolicy, StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputNotFound

_PATIENCE = RetryPolicy(seconds=10.0)
"""Short, since every look at a job is repeated anyway."""


class Artifacts(Protocol):
    """What the operator needs of an object store. Every method may raise ``StorageUnavailable``."""

    @property
    def bucket(self) -> str:
        """The platform's bucket."""

    async def manifest(self, uri: str) -> Manifest | None:
        """The manifest of a finished stage; None where it is not finished."""

    async def delete(self, uri: str) -> int:
        """Deletes everything beneath a prefix; tells how many objects."""


class StoreArtifacts:
    """``Artifacts`` in an S3-compatible store."""

    def __init__(self, settings: StoreSettings) -> None:
        self._store = ArtifactStore(replace(settings, retry=_PATIENCE))

    @property
    def bucket(self) -> str:
        """The platform's bucket."""
        return self._store.settings.bucket

    async def manifest(self, uri: str) -> Manifest | None:
        """The manifest of a finished stage; None where it is not finished.

        Raises:
            StorageUnavailable: The store does not answer.
            InputInvalid: There is a manifest, but it can not be read.
        """
        return await asyncio.to_thread(self._store.read_manifest, S3Uri.parse(uri))

    async def delete(self, uri: str) -> int:
        """Deletes everything beneath a prefix; tells how many objects. A bucket that is gone holds none.

        Raises:
            StorageUnavailable: The store does not answer.
        """
        try:
            return await asyncio.to_thread(self._store.delete_prefix, S3Uri.parse(uri))
        except InputNotFound:
            return 0
