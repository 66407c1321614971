"""Reading an object as a stream that survives broken connections.

A connection that breaks is opened again at the byte it stopped at, pinned to the ETag of the first answer,
so the chunks always join into one object as it once was, and never into a mixture of two.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from urllib3.exceptions import IncompleteRead
from urllib3.response import BaseHTTPResponse

from splatworks_common.artifacts.client import Client, address
from splatworks_common.artifacts.retry import REQUEST_ERRORS, Attempts, Changed
from splatworks_common.reasons import InputInvalid, StorageUnavailable

CHUNK_BYTES = 256 << 10
"""The most that one ``next`` returns, and that a broken connection can make to be fetched twice."""

_FRESH_PATIENCE_BYTES = 8 << 20
"""After this much has come through since the last failure, a new failure is counted from one again."""


class ObjectStream(Iterator[bytes]):
    """The bytes of an object, or of a range of it, in chunks of at most 256 KiB.

    The first answer is there when the constructor returns, so a missing object shows before the first chunk.

    Example:
        >>> with store.open_range(uri, start=1000, length=500) as stream:
        ...     body = b"".join(stream)

    Attributes:
        length: How many bytes the stream gives in all.
        etag: The object's ETag.
    """

    length: int
    etag: str

    def __init__(
        self, client: Client, bucket: str, key: str, start: int = 0, length: int | None = None
    ) -> None:
        """Opens the stream.

        Args:
            client: The store's client.
            bucket: The bucket.
            key: The key.
            start: The first byte.
            length: How many bytes, at least 1; None for all up to the end.

        Raises:
            ValueError: The range is negative or empty.
            InputNotFound, InputInvalid, StorageUnavailable: There is no such object or range, it may not be
                read, or the store is gone.
        """
        if start < 0 or (length is not None and length < 1):
            raise ValueError(f"bytes {start} + {length} are not a range")
        self._client = client
        self._bucket = bucket
        self._key = key
        self._start = start
        self._given = 0
        self._since_failure = 0
        self._attempts = self._new_attempts()
        self._response = self._attempts.run(lambda: client.open(bucket, key, start, length, None))
        self._check_range(self._response, ranged=start > 0 or length is not None)
        self.length = int(self._response.headers["Content-Length"])
        self.etag = self._response.headers.get("ETag", "").strip('"')

    def __enter__(self) -> ObjectStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __next__(self) -> bytes:
        """The next chunk.

        Raises:
            InputInvalid: The object was replaced while it was read.
            StorageUnavailable: The store is gone for longer than the policy's patience.
        """
        while self._given < self.length:
            try:
                chunk = self._response.read(min(CHUNK_BYTES, self.length - self._given))
                if not chunk:
                    raise IncompleteRead(self._given, self.length - self._given)
            except REQUEST_ERRORS as error:
                self._reopen(error)
                continue
            self._given += len(chunk)
            self._since_failure += len(chunk)
            return bytes(chunk)
        self._response.release_conn()
        raise StopIteration

    def close(self) -> None:
        """Lets the connection go; a stream read to its end has done so already."""
        self._response.close()

    def _reopen(self, error: Exception) -> None:
        self._response.close()
        if self._since_failure >= _FRESH_PATIENCE_BYTES:
            self._attempts = self._new_attempts()
        self._since_failure = 0
        self._attempts.failed(error)
        start, left = self._start + self._given, self.length - self._given
        try:
            self._response = self._attempts.run(
                lambda: self._client.open(
                    self._bucket, self._key, start, left, f'"{self.etag}"' if self.etag else None
                )
            )
        except Changed as changed:
            raise InputInvalid(
                f"{address(self._bucket, self._key)} was replaced while it was read; run again"
            ) from changed
        self._check_range(self._response, ranged=True)

    def _check_range(self, response: BaseHTTPResponse, *, ranged: bool) -> None:
        if ranged and response.status != 206:
            response.close()
            raise StorageUnavailable(
                f"the object store at {self._client.settings.url} answers a range with status "
                f"{response.status}, not 206; it cannot be used"
            )

    def _new_attempts(self) -> Attempts:
        return self._client.attempts("read", self._bucket, self._key)
