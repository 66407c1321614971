"""Checkpoints in the object store: ``{output}.checkpoint/`` beside the output of the stage whose work it is.

A checkpoint is a folder of a fresh name beneath that prefix, and a manifest at the prefix that names its
files. The manifest is written last and at once, and what it replaces is deleted afterwards: a reader sees the
checkpoint before or the one after, never half of one, and verifies every byte. One of another stage, version
or input digest is not looked at.

The state is written to disk by the thread that works, for that is a snapshot, and uploaded by another one
while the work goes on.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from splatworks_common.artifacts.manifest import MANIFEST_NAME, Manifest
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.checkpoints import Write
from splatworks_common.reasons import InputInvalid, InputNotFound, Preempted, StageError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """Whose state a checkpoint holds; it is of use to the same work only.

    Attributes:
        stage: The stage's name.
        stage_version: Its version.
        input_digest: See ``manifest.input_digest``.
    """

    stage: str
    stage_version: str
    input_digest: str


class StoredCheckpoint:
    """A ``Checkpoint`` in the object store. ``load``, ``due``, ``save`` and ``discard`` are one thread's.

    Args:
        store: The store.
        output: The prefix of the stage's output.
        work: Whose state it is.
        folder: A local folder of its own.
        stopping: Set when the worker is told to stop.
        clock: Seconds.

    Attributes:
        uri: The prefix of the checkpoint.
        seconds_before: How long earlier attempts took to get to the state that was loaded.
    """

    def __init__(
        self,
        store: ArtifactStore,
        output: S3Uri,
        work: Work,
        folder: Path,
        stopping: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.uri = checkpoint_uri(output)
        self._store = store
        self._work = work
        self._folder = folder
        self._stopping = stopping
        self._clock = clock
        self.seconds_before = 0.0
        self._began = self._last = clock()
        self._upload: threading.Thread | None = None
        self._stored = False

    def load(self) -> Path | None:
        """See ``Checkpoint.load``.

        Raises:
            StorageUnavailable: The store did not answer; to begin anew could waste hours.
        """
        loaded = self._folder / "loaded"
        try:
            manifest = self._store.read_manifest(self.uri)
            if manifest is None:
                return None
            if Work(manifest.stage, manifest.stage_version, manifest.input_digest) != self._work:
                log.warning("the checkpoint at %s is of other work and not used", self.uri)
                return None
            loaded.mkdir(parents=True)
            self._store.download_artifact(self.uri, loaded, manifest=manifest)
        except (InputInvalid, InputNotFound) as error:
            log.warning("the checkpoint at %s can not be used: %s", self.uri, error)
            return None
        self.seconds_before = manifest.seconds
        return next(loaded.iterdir(), None)

    def due(self, seconds: float) -> bool:
        """See ``Checkpoint.due``."""
        if self._stopping.is_set():
            return True
        uploading = self._upload is not None and self._upload.is_alive()
        return not uploading and self._clock() - self._last >= seconds

    def save(self, write: Write) -> None:
        """See ``Checkpoint.save``."""
        self._last = self._clock()
        name = uuid.uuid4().hex
        local = self._folder / name
        try:
            local.mkdir(parents=True)
            write(local)
        except OSError as error:
            log.warning("a checkpoint could not be written, the work goes on: %s", error)
            shutil.rmtree(local, ignore_errors=True)
        else:
            self._wait()
            self._stored = False
            seconds = self.seconds_before + self._last - self._began
            self._upload = threading.Thread(target=self._store_it, args=(local, name, seconds))
            self._upload.start()
        if self._stopping.is_set():
            self._wait()
            kept = "is kept; the next attempt goes on from there" if self._stored else "could not be kept"
            raise Preempted(f"The worker was told to stop before the work was done. Its state {kept}.")

    def discard(self) -> None:
        """Deletes the checkpoint, once the output is finished. A failure is only logged."""
        self._wait()
        try:
            self._store.delete_prefix(self.uri)
        except StageError as error:
            log.warning("the checkpoint at %s could not be deleted: %s", self.uri, error)

    def _wait(self) -> None:
        if self._upload is not None:
            self._upload.join()

    def _store_it(self, local: Path, name: str, seconds: float) -> None:
        try:
            files = self._store.upload_directory(local, self.uri / name)
            manifest = Manifest(
                stage=self._work.stage,
                stage_version=self._work.stage_version,
                input_digest=self._work.input_digest,
                files=[replace(file, path=f"{name}/{file.path}") for file in files],
                created=datetime.now(UTC),
                seconds=seconds,
            )
            self._store.put_bytes(self.uri / MANIFEST_NAME, manifest.to_json())
            self._stored = True
            self._delete_all_but(name)
        except StageError as error:
            log.warning("a checkpoint could not be stored, the work goes on: %s", error)
        finally:
            shutil.rmtree(local, ignore_errors=True)

    def _delete_all_but(self, name: str) -> None:
        """Deletes the folders of earlier checkpoints, and what uploads that were cut short have left."""
        start = len(self.uri.prefix)
        keys = [entry.key[start:] for entry in self._store.list_objects(self.uri)]
        for folder in sorted({key.partition("/")[0] for key in keys if "/" in key} - {name}):
            self._store.delete_prefix(self.uri / folder)


def checkpoint_uri(output: S3Uri) -> S3Uri:
    """The prefix of the checkpoint of the stage whose output is at ``output``."""
    return S3Uri(output.bucket, f"{output.key}.checkpoint")
