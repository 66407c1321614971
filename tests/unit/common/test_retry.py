"""Trying again: how long, after what, and what it ends in. Time is virtual."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest
from minio.error import S3Error
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError, SSLError

from splatworks_common.artifacts.retry import AlreadyThere, Attempts, Changed, UploadLost
from splatworks_common.artifacts.settings import RetryPolicy
from splatworks_common.reasons import InputInvalid, InputNotFound, StorageUnavailable

ENDPOINT = "http://store:9000"
DEFAULTS = RetryPolicy()


class Clock:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def make_attempts(
    clock: Clock, policy: RetryPolicy = DEFAULTS, operation: str = "read", jitter: float = 1.0
) -> Attempts:
    return Attempts(
        policy,
        ENDPOINT,
        operation,
        "s3://bucket/key",
        pause=clock.pause,
        clock=lambda: clock.now,
        jitter=lambda: jitter,
    )


def s3_error(code: str, status: int) -> S3Error:
    return S3Error(HTTPResponse(status=status), code, "said the store", "/bucket/key", "1", "host")


def failing(times: int, error: Exception) -> Callable[[], str]:
    remaining = [error] * times

    def request() -> str:
        if remaining:
            raise remaining.pop()
        return "done"

    return request


@pytest.mark.parametrize(
    "error",
    [
        ProtocolError("Connection aborted."),
        s3_error("InternalError", 500),
        s3_error("ServiceUnavailable", 503),
        s3_error("SlowDown", 503),
        s3_error("SomethingNew", 502),
        s3_error("TooManyRequests", 429),
        s3_error("RequestTimeout", 400),
        SSLError(ssl.SSLEOFError("EOF occurred in violation of protocol")),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    clock = Clock()

    assert make_attempts(clock).run(failing(3, error)) == "done"
    assert len(clock.pauses) == 3


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (s3_error("NoSuchKey", 404), InputNotFound),
        (s3_error("NoSuchBucket", 404), InputNotFound),
        (s3_error("AccessDenied", 403), InputInvalid),
        (s3_error("InvalidAccessKeyId", 403), StorageUnavailable),
        (s3_error("SignatureDoesNotMatch", 403), StorageUnavailable),
        (s3_error("RequestTimeTooSkewed", 403), StorageUnavailable),
        (s3_error("InvalidRange", 416), InputInvalid),
        (s3_error("NoSuchUpload", 404), UploadLost),
        (s3_error("PreconditionFailed", 412), Changed),
        (s3_error("MethodNotAllowed", 405), StorageUnavailable),
        (SSLError(ssl.SSLCertVerificationError("certificate verify failed")), StorageUnavailable),
    ],
    ids=str,
)
def test_what_is_final_is_not_tried_again(error: Exception, expected: type[Exception]) -> None:
    clock = Clock()

    with pytest.raises(expected) as caught:
        make_attempts(clock).run(failing(1, error))

    assert clock.pauses == []
    assert "s3://bucket/key" in str(caught.value) or ENDPOINT in str(caught.value)


def test_a_commit_that_meets_an_object_says_so() -> None:
    with pytest.raises(AlreadyThere):
        make_attempts(Clock(), operation="commit").run(failing(1, s3_error("PreconditionFailed", 412)))


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_the_defaults_outlast_half_a_minute_and_end(jitter: float) -> None:
    clock = Clock()

    with pytest.raises(StorageUnavailable):
        make_attempts(clock, jitter=jitter).run(failing(1000, ProtocolError("refused")))

    assert 30 <= clock.now <= DEFAULTS.seconds


def test_the_end_names_endpoint_operation_address_and_last_error() -> None:
    with pytest.raises(StorageUnavailable) as caught:
        make_attempts(Clock()).run(failing(1000, s3_error("SlowDown", 503)))

    for part in (
        ENDPOINT,
        "did not read",
        "s3://bucket/key",
        "SlowDown: said the store",
        "check that it runs",
    ):
        assert part in str(caught.value)


def test_pauses_double_up_to_the_longest() -> None:
    clock = Clock()

    make_attempts(clock, RetryPolicy(first_pause=1, longest_pause=5)).run(
        failing(5, ProtocolError("refused"))
    )

    assert clock.pauses == [1, 2, 4, 5, 5]


def test_jitter_only_shortens_a_pause_and_by_no_more_than_half() -> None:
    clock = Clock()

    make_attempts(clock, RetryPolicy(first_pause=1), jitter=0.0).run(failing(1, ProtocolError("refused")))

    assert clock.pauses == [0.5]


def test_slow_failures_are_bounded_by_time() -> None:
    clock = Clock()

    def hang() -> str:
        clock.now += 30
        raise ProtocolError("read timed out")

    with pytest.raises(StorageUnavailable, match="in 2 tries over 60 s"):
        make_attempts(clock, RetryPolicy(seconds=60, first_pause=0)).run(hang)
