"""Single S3 requests with patience: the only module that talks to minio-py.

Each method is one request (or one page of a listing), tried again as ``retry`` says. Keys are plain strings
here, because objects that others wrote may have keys ``S3Uri`` would not allow.

minio-py 7 keeps private what is needed to send a header with a PUT and to try single parts of a multipart
upload again; those calls are the ``_Private`` protocol below, the reason for the pin ``minio>=7.2.20,<8``.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, cast
from urllib.parse import quote, urlsplit

import certifi
import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.datatypes import Object, Part
from minio.deleteobjects import DeleteObject
from minio.helpers import ObjectWriteResult
from minio.lifecycleconfig import LifecycleConfig, Rule
from minio.sse import Sse, SseKMS, SseS3
from urllib3.response import BaseHTTPResponse

from splatworks_common.artifacts.retry import REQUEST_ERRORS, AlreadyThere, Attempts
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.reasons import StorageUnavailable

Pause = Callable[[float], None]

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection."""

READ_TIMEOUT = 30.0
"""Seconds without a byte after which a request is given up and tried again."""


@dataclass(frozen=True)
class StoredObject:
    """What the store knows about one object.

    Attributes:
        key: Its full key.
        bytes: Its size.
        etag: Changes with the content; never to be read as an MD5.
        modified: When it was written.
        media_type: As it was stored; empty in listings, which do not tell it.
    """

    key: str
    bytes: int
    etag: str
    modified: datetime
    media_type: str = ""


class _Private(Protocol):
    """The calls of minio-py 7.2 that it keeps private."""

    def _put_object(
        self, bucket_name: str, object_name: str, data: bytes, headers: dict[str, str]
    ) -> ObjectWriteResult: ...
    def _create_multipart_upload(
        self, bucket_name: str, object_name: str, headers: dict[str, str]
    ) -> str: ...
    def _upload_part(
        self, bucket_name: str, object_name: str, data: bytes, headers: None, upload_id: str, part_number: int
    ) -> str: ...
    def _upload_part_copy(
        self, bucket_name: str, object_name: str, upload_id: str, part_number: int, headers: dict[str, str]
    ) -> tuple[str, datetime | None]: ...
    def _complete_multipart_upload(
        self, bucket_name: str, object_name: str, upload_id: str, parts: list[Part]
    ) -> object: ...
    def _abort_multipart_upload(self, bucket_name: str, object_name: str, upload_id: str) -> None: ...


class Client:
    """Requests to one store. Safe to share between threads, not between processes."""

    def __init__(self, settings: StoreSettings, *, connections: int) -> None:
        """Prepares the connection pool; nothing is sent yet.

        Args:
            settings: Which store.
            connections: How many are kept open.
        """
        self.settings = settings
        # minio-py's own retries are off: they would multiply with ours and know no total bound.
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            retries=False,
            ca_certs=str(settings.ca_file) if settings.ca_file else certifi.where(),
        )
        parts = urlsplit(settings.url)
        self._minio = Minio(
            parts.netloc,
            access_key=settings.access_key,
            secret_key=settings.secret_key,
            secure=parts.scheme == "https",
            region=settings.region,
            http_client=self._pool,
        )
        self._private = cast(_Private, self._minio)
        self._sse = _encryption(settings.sse)
        self._pause: Pause = time.sleep

    def pausing_with(self, pause: Pause) -> Client:
        """The same client and connections, waiting between tries with ``pause``, which may raise."""
        other = copy.copy(self)
        other._pause = pause
        return other

    def close(self) -> None:
        """Closes the idle connections."""
        self._pool.clear()

    def attempts(self, operation: str, bucket: str, key: str) -> Attempts:
        """A new count of tries for one request."""
        return Attempts(
            self.settings.retry, self.settings.url, operation, address(bucket, key), pause=self._pause
        )

    def ensure_bucket(self, bucket: str) -> None:
        """Creates the bucket unless it is there."""

        def request() -> None:
            if not self._minio.bucket_exists(bucket):
                self._minio.make_bucket(bucket)

        self.attempts("create the bucket", bucket, "").run(request)

    def lifecycle(self, bucket: str) -> list[Rule]:
        """The bucket's lifecycle rules, whoever made them."""
        found = self.attempts("read the lifecycle of", bucket, "").run(
            lambda: self._minio.get_bucket_lifecycle(bucket)
        )
        return list(found.rules) if found else []

    def set_lifecycle(self, bucket: str, rules: list[Rule]) -> None:
        """Replaces all lifecycle rules of the bucket; at least one."""
        self.attempts("set the lifecycle of", bucket, "").run(
            lambda: self._minio.set_bucket_lifecycle(bucket, LifecycleConfig(rules))
        )

    def put(self, bucket: str, key: str, data: bytes, media_type: str, cache_control: str = "") -> None:
        """Writes a whole object; ``cache_control`` is the header that the store sends with it, if any."""
        caching = {"Cache-Control": cache_control} if cache_control else {}
        self.attempts("write", bucket, key).run(
            lambda: self._private._put_object(bucket, key, data, {**self._headers(media_type), **caching})
        )

    def put_if_absent(self, bucket: str, key: str, data: bytes, media_type: str) -> bool:
        """Writes a whole object unless one of that key exists, atomically.

        Returns:
            False where one exists, and True where this call wrote it. After a try whose answer was lost the
            object may be this call's own: then its content decides.
        """
        headers = {**self._headers(media_type), "If-None-Match": "*"}
        attempts = self.attempts("commit", bucket, key)
        try:
            attempts.run(lambda: self._private._put_object(bucket, key, data, dict(headers)))
        except AlreadyThere:
            return attempts.failures > 0 and self.get(bucket, key, limit=len(data) + 1) == data
        return True

    def head(self, bucket: str, key: str) -> StoredObject:
        """Asks for an object's size, ETag, time and media type."""
        stat = self.attempts("look at", bucket, key).run(lambda: self._minio.stat_object(bucket, key))
        return _stored(stat)

    def open(
        self, bucket: str, key: str, start: int, length: int | None, etag: str | None
    ) -> BaseHTTPResponse:
        """Begins to read; one try only, for the reader goes on where it stopped.

        Args:
            bucket: The bucket.
            key: The key.
            start: First byte.
            length: How many bytes, at least 1; None reads to the end.
            etag: Refuse any other content.
        """
        return self._minio.get_object(
            bucket,
            key,
            offset=start,
            length=length or 0,
            request_headers={"If-Match": etag} if etag else None,
        )

    def get(self, bucket: str, key: str, *, limit: int) -> bytes:
        """Reads a small object whole.

        Returns:
            At most ``limit`` bytes: an object that gives as many may be longer.
        """

        def request() -> bytes:
            with contextlib.closing(self._minio.get_object(bucket, key)) as response:
                return bytes(response.read(limit))

        return self.attempts("read", bucket, key).run(request)

    def list(self, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """All objects whose key begins with ``prefix``, in key order; folder markers are left out."""
        last = ""
        attempts = self.attempts("list", bucket, prefix)
        while True:
            try:
                for entry in self._minio.list_objects(
                    bucket, prefix, recursive=True, start_after=last or None
                ):
                    last = str(entry.object_name)
                    if not last.endswith("/"):
                        yield _stored(entry)
                return
            except REQUEST_ERRORS as error:
                attempts.failed(error)

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Removes objects; those that are gone already are no error."""
        targets = [DeleteObject(key) for key in keys]

        def request() -> None:
            refused = list(self._minio.remove_objects(bucket, targets))
            if refused:
                raise StorageUnavailable(
                    f"the object store at {self.settings.url} did not delete {len(refused)} objects, "
                    f"the first {address(bucket, str(refused[0].name))} ({refused[0].code}); run again"
                )

        if targets:
            self.attempts("delete", bucket, targets[0].name).run(request)

    def copy(self, source: tuple[str, str], bucket: str, key: str) -> None:
        """Copies an object inside the store, in one request."""
        self.attempts("copy", bucket, key).run(
            lambda: self._minio.copy_object(bucket, key, CopySource(*source), sse=self._sse)
        )

    def multipart(self, bucket: str, key: str, media_type: str) -> Multipart:
        """Begins an upload in parts."""
        upload = self.attempts("write", bucket, key).run(
            lambda: self._private._create_multipart_upload(bucket, key, self._headers(media_type))
        )
        return Multipart(self, bucket, key, upload)

    def _headers(self, media_type: str) -> dict[str, str]:
        """What every request that begins a new object says about it; parts of one follow its beginning."""
        return {"Content-Type": media_type, **(self._sse.headers() if self._sse else {})}


class Multipart:
    """An object that is sent in parts and appears when ``complete`` returns.

    Every part but the last has at least 5 MiB. Each method raises ``UploadLost`` where the store has
    forgotten the upload (it was restarted without its state, or completed it while the answer was lost).
    """

    def __init__(self, client: Client, bucket: str, key: str, upload: str) -> None:
        """Takes over an upload that ``Client.multipart`` has begun."""
        self._client = client
        self._bucket = bucket
        self._key = key
        self._upload = upload
        self._parts: list[Part] = []

    def send(self, data: bytes) -> None:
        """Sends the next part."""
        number = len(self._parts) + 1
        etag = self._client.attempts("write", self._bucket, self._key).run(
            lambda: self._client._private._upload_part(
                self._bucket, self._key, data, None, self._upload, number
            )
        )
        self._parts.append(Part(number, etag))

    def copy(self, source: tuple[str, str], start: int, length: int) -> None:
        """Takes the next part from another object inside the store."""
        number = len(self._parts) + 1
        headers = {
            "x-amz-copy-source": quote("/".join(source)),
            "x-amz-copy-source-range": f"bytes={start}-{start + length - 1}",
        }
        etag, _ = self._client.attempts("copy", self._bucket, self._key).run(
            lambda: self._client._private._upload_part_copy(
                self._bucket, self._key, self._upload, number, dict(headers)
            )
        )
        self._parts.append(Part(number, etag))

    def complete(self) -> None:
        """Makes the object out of its parts."""
        self._client.attempts("write", self._bucket, self._key).run(
            lambda: self._client._private._complete_multipart_upload(
                self._bucket, self._key, self._upload, self._parts
            )
        )

    def abort(self) -> None:
        """Asks the store to forget the parts: once, for an open upload is invisible and only costs space."""
        with contextlib.suppress(*REQUEST_ERRORS):
            self._client._private._abort_multipart_upload(self._bucket, self._key, self._upload)


def address(bucket: str, key: str) -> str:
    """The ``s3://`` form of any key, for messages."""
    return f"s3://{bucket}/{key}"


def _encryption(sse: str) -> Sse | None:
    """minio-py's form of ``StoreSettings.sse``."""
    kind, _, key = sse.partition(":")
    if kind == "KMS":
        return SseKMS(key, {})
    return SseS3() if kind else None


def _stored(entry: Object) -> StoredObject:
    return StoredObject(
        key=str(entry.object_name),
        bytes=entry.size or 0,
        etag=(entry.etag or "").strip('"'),
        modified=entry.last_modified or datetime.fromtimestamp(0, UTC),
        media_type=entry.content_type or "",
    )
