"""Trying again, and knowing when not to.

Every failure of a request is either final (the object is not there, the credentials are refused) and
becomes the exception of its reason at once, or passing (no connection, 5xx, "slow down", a body cut short)
and is tried again with doubling, jittered pauses until the policy's bound, which ends in
``StorageUnavailable``. Messages name the endpoint, the operation and the address; they never hold a
credential.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable
from typing import TypeVar

from minio.error import InvalidResponseError, MinioException, S3Error
from urllib3.exceptions import HTTPError, SSLError

from splatworks_common.artifacts.settings import RetryPolicy
from splatworks_common.reasons import InputInvalid, InputNotFound, StorageUnavailable

Result = TypeVar("Result")

REQUEST_ERRORS = (MinioException, HTTPError)
"""What a request to the store can raise; anything else is a defect and is not caught."""

_NOT_THERE = {"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "ResourceNotFound"}
_BAD_CREDENTIALS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "AuthorizationHeaderMalformed",
}
_PASSING = {
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "TooManyRequests",
}


class CredentialsRefused(StorageUnavailable):
    """The store does not know the access key, or not with this secret."""


class UploadLost(Exception):
    """The store no longer knows a multipart upload; the file must be sent again from its beginning."""


class AlreadyThere(Exception):
    """A conditional write met an object of that name."""


class Changed(Exception):
    """The object is no longer the one whose ETag was asked for."""


class Attempts:
    """The tries of one request.

    Example:
        >>> attempts = Attempts(policy, endpoint, "read", "s3://b/k")
        >>> while True:
        ...     try:
        ...         return request()
        ...     except REQUEST_ERRORS as error:
        ...         attempts.failed(error)
    """

    def __init__(
        self,
        policy: RetryPolicy,
        endpoint: str,
        operation: str,
        address: str,
        *,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Begins to count.

        Args:
            policy: The bounds.
            endpoint: The store's URL, for messages.
            operation: A verb for messages ("read").
            address: What it is about, for messages ("s3://bucket/key").
            pause: Waits that many seconds; may raise to give up early.
            clock: Seconds, monotonic.
            jitter: A number in 0..1; pauses are between 50 % and 100 % of their nominal length.
        """
        self._policy = policy
        self._endpoint = endpoint
        self._operation = operation
        self._address = address
        self._pause = pause
        self._clock = clock
        self._jitter = jitter
        self._began = clock()
        self._failures = 0

    @property
    def failures(self) -> int:
        """How many tries have failed so far."""
        return self._failures

    def failed(self, error: Exception) -> None:
        """Takes note of a failed try and returns when it is time for the next.

        Raises:
            InputNotFound, InputInvalid, StorageUnavailable: Trying again is no use, or the bound is reached.
            UploadLost, AlreadyThere, Changed: For the caller to deal with.
        """
        final = _final_error(error, self._endpoint, self._operation, self._address)
        if final is not None:
            raise final from error
        self._failures += 1
        pause = min(self._policy.first_pause * 2 ** (self._failures - 1), self._policy.longest_pause)
        pause *= 0.5 + 0.5 * self._jitter()
        elapsed = self._clock() - self._began
        if self._failures >= self._policy.attempts or elapsed + pause >= self._policy.seconds:
            raise StorageUnavailable(
                f"the object store at {self._endpoint} did not {self._operation} "
                f"{self._address} in {self._failures} tries over {elapsed:.0f} s (last: "
                f"{describe(error)}); check that it runs and can be reached from here, then run again"
            ) from error
        self._pause(pause)

    def run(self, request: Callable[[], Result]) -> Result:
        """Makes the request until it succeeds.

        Raises:
            StageError: As ``failed``.
        """
        while True:
            try:
                return request()
            except REQUEST_ERRORS as error:
                self.failed(error)


def describe(error: Exception) -> str:
    """One line about a failed request, without object addresses or headers."""
    if isinstance(error, S3Error):
        return f"{error.code}: {error.message}"
    if isinstance(error, InvalidResponseError):
        return "an answer that is not S3"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text.rpartition('object at 0x')[2].partition('>: ')[2] or text}"[:300]


def _final_error(error: Exception, endpoint: str, operation: str, address: str) -> Exception | None:
    """What the failure means where trying again is no use; None where it may pass."""
    if _is_untrusted(error):
        return StorageUnavailable(
            f"the certificate of the object store at {endpoint} is not trusted ({describe(error)}); "
            "set SPLATWORKS_STORE_CA_FILE to its authority's PEM file"
        )
    if not isinstance(error, S3Error):
        return None
    if error.code in _PASSING or error.response.status >= 500 or error.response.status == 429:
        return None
    return _refusal(error, endpoint, operation, address)


def _is_untrusted(error: Exception) -> bool:
    """Whether a certificate was looked at and refused; TLS fails in passing ways, too: a port that closes."""
    return isinstance(error, SSLError) and any(
        isinstance(cause, ssl.SSLCertVerificationError) for cause in error.args
    )


def _refusal(error: S3Error, endpoint: str, operation: str, address: str) -> Exception:
    """The store's considered answer, as an exception."""
    special: dict[str | None, type[Exception]] = {
        "NoSuchUpload": UploadLost,
        "PreconditionFailed": AlreadyThere if operation == "commit" else Changed,
    }
    if error.code in special:
        return special[error.code](address)
    if error.code == "NoSuchBucket":
        return InputNotFound(
            f"there is no bucket for {address} on {endpoint}; create it or correct the address"
        )
    if error.code in _NOT_THERE:
        return InputNotFound(f"{address} does not exist on {endpoint}; check the address")
    if error.code == "InvalidRange":
        return InputInvalid(f"{address} is shorter than the range asked for")
    if error.code in _BAD_CREDENTIALS:
        return CredentialsRefused(
            f"the object store at {endpoint} does not accept the credentials ({error.code}); "
            "check SPLATWORKS_STORE_ACCESS_KEY and SPLATWORKS_STORE_SECRET_KEY"
        )
    if error.code == "RequestTimeTooSkewed":
        return StorageUnavailable(
            f"the clocks of this machine and of {endpoint} differ too much; set them right"
        )
    if error.response.status == 403:
        return InputInvalid(
            f"the object store at {endpoint} refuses to {operation} {address} ({error.code}); "
            "grant the access key that right or choose another address"
        )
    return StorageUnavailable(
        f"the object store at {endpoint} did not {operation} {address} ({describe(error)})"
    )
