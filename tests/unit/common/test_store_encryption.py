"""What a store is told about encryption, on every way in which an object is written.

On the headers sent, to a store that is none: SeaweedFS has no KMS. With "S3" a real one encrypts in
tests/integration/common/test_encryption.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from splatworks_common.artifacts.client import Client
from splatworks_common.artifacts.settings import StoreSettings

ENCRYPTION = "x-amz-server-side-encryption"
KEY_ID = "x-amz-server-side-encryption-aws-kms-key-id"
STARTED = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
WRITTEN = b"<ETag>e</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
COPIED = b"<CopyObjectResult>" + WRITTEN + b"</CopyObjectResult>"

WRITES: dict[str, Callable[[Client], object]] = {
    "put": lambda client: client.put("scenes", "k", b"data", "text/plain"),
    "commit": lambda client: client.put_if_absent("scenes", "k", b"data", "text/plain"),
    "multipart": lambda client: client.multipart("scenes", "k", "text/plain"),
    "copy": lambda client: client.copy(("scenes", "source"), "scenes", "k"),
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The headers of every request that writes; all of them succeed."""
    requests: list[dict[str, str]] = []

    def urlopen(pool: object, method: str, url: str, **request: Any) -> urllib3.HTTPResponse:
        headers = {name.lower(): value for name, value in request["headers"].items()}
        if method in ("PUT", "POST"):
            requests.append(headers)
        body = STARTED if method == "POST" else COPIED if "x-amz-copy-source" in headers else b""
        about = {"ETag": "e", "Content-Length": "4", "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        return urllib3.HTTPResponse(body, about, status=200, preload_content=False)

    monkeypatch.setattr(urllib3.PoolManager, "urlopen", urlopen)
    return requests


def client(sse: str) -> Client:
    return Client(StoreSettings("https://store", "key", "secret", sse=sse), connections=1)


@pytest.mark.parametrize("write", WRITES)
def test_a_kms_key_is_named_wherever_an_object_begins(write: str, sent: list[dict[str, str]]) -> None:
    WRITES[write](client("KMS:scenes"))

    assert [(headers[ENCRYPTION], headers[KEY_ID]) for headers in sent] == [("aws:kms", "scenes")]


@pytest.mark.parametrize("write", WRITES)
def test_the_store_s_own_keys_are_asked_for_wherever_an_object_begins(
    write: str, sent: list[dict[str, str]]
) -> None:
    WRITES[write](client("S3"))

    assert [headers[ENCRYPTION] for headers in sent] == ["AES256"]


@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_said_about_encryption_unless_asked_for(write: str, sent: list[dict[str, str]]) -> None:
    WRITES[write](client(""))

    assert len(sent) == 1
    assert ENCRYPTION not in sent[0]
