"""Files in transit: hashed while they stream, a few at a time, with one progress for all.

A file never lies in memory whole: sending takes one part at a time, fetching one chunk. The SHA-256 is that
of the bytes that went over the wire, so what a manifest says is what was sent, even if the file changed
meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from io import RawIOBase
from pathlib import Path
from typing import TypeVar

from splatworks_common.artifacts.client import Client, address
from splatworks_common.artifacts.manifest import ManifestFile, media_type
from splatworks_common.artifacts.retry import UploadLost
from splatworks_common.artifacts.stream import ObjectStream
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.atomic import atomic_write
from splatworks_common.reasons import InputInvalid, Internal, StorageUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

OnProgress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, never from two threads at once; done falls if a file is resent."""

PART_BYTES = 8 << 20
"""Files up to this size are sent in one request, longer ones in parts of it (larger parts beyond 80 GiB)."""

COPY_PART_BYTES = 64 << 20
"""Larger objects are copied in slices, so that no single request outlasts the read timeout."""

_MAX_PARTS = 10_000
_RESENDS = 3


class _Stopped(Exception):
    """Another file of the batch has failed, so this one is given up."""


class Batch:
    """Files that are in transit together; the first failure ends them all."""

    def __init__(self, client: Client, total: int, on_progress: OnProgress | None) -> None:
        """Begins at 0 bytes.

        Args:
            client: The store's client.
            total: Bytes of all files together.
            on_progress: Hears of bytes.
        """
        self._client = client.pausing_with(self._pause)
        self._total = total
        self._done = 0
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def each(self, threads: int, work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Calls ``work`` for every item on a few threads.

        Returns:
            The results, in the items' order.

        Raises:
            Exception: The first failure, once the other threads have stopped.
        """
        with ThreadPoolExecutor(threads, thread_name_prefix="artifacts") as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                if not all(future.done() for future in futures):
                    self._stop.set()
                    pool.shutdown(wait=True, cancel_futures=True)
        errors = [future.exception() for future in futures if not future.cancelled()]
        for error in errors:
            if error is not None and not isinstance(error, _Stopped):
                raise error
        return [future.result() for future in futures]

    def upload(self, local: Path, uri: S3Uri, path: str) -> ManifestFile:
        """Sends a file.

        Args:
            local: The file.
            uri: Where to.
            path: What to call it in the row returned.
        """
        for _ in range(_RESENDS):
            try:
                return self._send(local, uri, path)
            except UploadLost:
                continue
        raise StorageUnavailable(
            f"the object store forgot the upload of {uri} {_RESENDS} times; check that it keeps its state"
        )

    def download(
        self, bucket: str, key: str, local: Path, path: str, expected: ManifestFile | None = None
    ) -> ManifestFile:
        """Fetches an object into a file that appears when it is whole and, if ``expected``, verified.

        Raises:
            InputInvalid: It is not what was expected; the message names both digests.
        """
        local.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with ObjectStream(self._client, bucket, key) as stream, atomic_write(local) as file:
            if expected is None or stream.length == expected.bytes:
                for chunk in stream:
                    digest.update(chunk)
                    file.write(chunk)
                    self._advance(len(chunk))
            found = ManifestFile(path, stream.length, digest.hexdigest(), media_type(path))
            if expected is not None:
                _verify(found, expected, address(bucket, key))
        return found

    def copy(self, source: S3Uri, target: S3Uri, size: int) -> None:
        """Copies an object of ``size`` bytes inside the store."""
        origin = (source.bucket, source.key)
        if size <= COPY_PART_BYTES:
            self._client.copy(origin, target.bucket, target.key)
        else:
            upload = self._client.multipart(target.bucket, target.key, media_type(target.key))
            try:
                for start in range(0, size, COPY_PART_BYTES):
                    upload.copy(origin, start, min(COPY_PART_BYTES, size - start))
                upload.complete()
            except BaseException:
                upload.abort()
                raise
        self._advance(size)

    def _send(self, local: Path, uri: S3Uri, path: str) -> ManifestFile:
        digest = hashlib.sha256()
        sent = 0
        with local.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            part_bytes = max(PART_BYTES, -(-size // _MAX_PARTS))
            if size <= part_bytes:
                data = _read(file, size, local)
                self._client.put(uri.bucket, uri.key, data, media_type(path))
                self._advance(size)
                return ManifestFile(path, size, hashlib.sha256(data).hexdigest(), media_type(path))
            upload = self._client.multipart(uri.bucket, uri.key, media_type(path))
            try:
                while sent < size:
                    part = _read(file, min(part_bytes, size - sent), local)
                    digest.update(part)
                    upload.send(part)
                    sent += len(part)
                    self._advance(len(part))
                    del part  # or it would lie in memory beside the next one
                upload.complete()
            except BaseException:
                self._count(-sent)
                upload.abort()
                raise
        return ManifestFile(path, size, digest.hexdigest(), media_type(path))

    def _advance(self, size: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._count(size)

    def _count(self, size: int) -> None:
        with self._lock:
            self._done += size
            if self._on_progress is not None:
                self._on_progress(self._done, self._total)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopped


def _read(file: RawIOBase, size: int, local: Path) -> bytes:
    data = file.read(size)
    if data is None or len(data) != size:
        raise Internal(f"{local} got shorter while it was sent; nothing may write to it any more")
    return data


def _verify(found: ManifestFile, expected: ManifestFile, where: str) -> None:
    if found.bytes != expected.bytes:
        raise InputInvalid(
            f"{where} has {found.bytes} bytes, its manifest says {expected.bytes}; "
            "run the stage that wrote it again"
        )
    if found.sha256 != expected.sha256:
        raise InputInvalid(
            f"{where} has the SHA-256 {found.sha256}, its manifest says {expected.sha256}; it was damaged or "
            "overwritten: run the stage that wrote it again"
        )
