"""A small client of the Kubernetes API: JSON in, JSON out, one pool of connections.

It carries the operator's hot path, so it is made of aiohttp, which kopf brings along, and nothing else: a
general client library takes five to ten times the processor time for one request. Credentials are those of
the pod's ServiceAccount, or of KUBECONFIG; a token that is renewed on disk is sent from then on.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import kopf

_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_TOKEN_SECONDS = 60.0
"""How long a token read from disk is used before the file is read again; the kubelet renews it much earlier
than it ends."""

_REQUEST_SECONDS = 15.0
_UNANSWERED_SECONDS = 20.0
_LONGEST_LINE = 8 * 2**20
"""Far beyond any event of a watch: etcd takes objects of 1.5 MiB unless told otherwise."""

_CONNECTIONS = 50
_JSON = "application/json"
_METADATA = f"{_JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_MERGE_PATCH = "application/merge-patch+json"

Resource = dict[str, Any]
"""A Kubernetes object as JSON."""


class ApiError(Exception):
    """The API server refused, or did not answer.

    Attributes:
        status: The HTTP status; 0 where there was no answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def not_found(self) -> bool:
        """True where the object is not there."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """True where somebody else changed or made the object meanwhile."""
        return self.status == 409


def credentials() -> kopf.ConnectionInfo:
    """Where the API server is, and as whom to speak to it.

    Raises:
        ApiError: This process runs neither in a pod with a ServiceAccount nor with a KUBECONFIG.
    """
    settings = kopf.OperatorSettings()
    logins = [kopf.login_with_service_account, kopf.login_with_kubeconfig]
    if os.environ.get("KUBECONFIG"):
        logins.reverse()
    for login in logins:
        found = login(settings=settings)
        if found is not None:
            return found
    raise ApiError(0, "There is no Kubernetes API to speak to: run in a pod, or set KUBECONFIG.")


def open_session(
    info: kopf.ConnectionInfo, *middlewares: aiohttp.ClientMiddlewareType
) -> aiohttp.ClientSession:
    """A pool of connections to the API server; belongs to the running event loop.

    Args:
        info: Where it is, and as whom to speak to it.
        middlewares: What every request goes through.
    """
    in_pod = info.token is not None and info.server == "https://kubernetes.default.svc"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=_CONNECTIONS, ssl=info.as_ssl_context() if info.server.startswith("https:") else False
        ),
        headers={"User-Agent": "splatworks-operator", **info.as_http_headers()},
        middlewares=[*middlewares, *([_FreshToken(_TOKEN)] if in_pod else [])],
    )


class _FreshToken:
    """Sends the ServiceAccount's token as its file has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = ""
        self._read_at = -_TOKEN_SECONDS

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if time.monotonic() - self._read_at >= _TOKEN_SECONDS:
            self._token, self._read_at = self._path.read_text().strip(), time.monotonic()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return await handler(request)


class Api:
    """Requests to one API server. Every method may raise ``ApiError``.

    Args:
        server: Its URL.
        session: The pool of connections; closed by ``close``.

    Example:
        >>> job = await api.get(path("splatworks.dev/v1alpha1", "splatjobs", "team-a", "fox"))
    """

    def __init__(self, server: str, session: aiohttp.ClientSession) -> None:
        self._server = server.rstrip("/")
        self._session = session
        self.answered: float | None = None
        """When the server last answered, by ``time.monotonic``; None before that."""

    def complaint(self) -> str:
        """That the server does not answer, or ""."""
        if self.answered is None:
            return "the API server has not answered yet"
        silent = time.monotonic() - self.answered
        return "" if silent < _UNANSWERED_SECONDS else f"the API server has not answered for {silent:.0f} s"

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()

    async def get(self, path: str, **params: str) -> Resource:
        """Reads an object or a list."""
        return await self._request("GET", path, params=params)

    async def metadata(self, path: str) -> Resource:
        """Reads a list whose objects have nothing but their metadata."""
        return await self._request("GET", path, accept=_METADATA)

    async def create(self, path: str, body: Resource) -> Resource:
        """Creates an object."""
        return await self._request("POST", path, body)

    async def replace(self, path: str, body: Resource) -> Resource:
        """Replaces an object."""
        return await self._request("PUT", path, body)

    async def patch(self, path: str, body: Resource) -> Resource:
        """Merges ``body`` into an object."""
        return await self._request("PATCH", path, body, content_type=_MERGE_PATCH)

    async def delete(self, path: str, *, uid: str) -> None:
        """Deletes the object of that uid; another one of the same name stays."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        await self._request("DELETE", path, body)

    async def watch(self, path: str, *, since: str, seconds: int, **params: str) -> AsyncIterator[Resource]:
        """What happens to the objects of a list, for so many seconds.

        Raises:
            ApiError: With status 410 where ``since`` is too long ago; list again.
        """
        query = {
            **params,
            "watch": "true",
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_REQUEST_SECONDS, sock_read=seconds + 10.0)
        try:
            async with self._session.get(self._server + path, params=query, timeout=timeout) as response:
                await self._check(response)
                async for line in lines_of(response.content):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError(event["object"].get("code", 500), event["object"].get("message", ""))
                    yield event
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._silent(error) from error

    async def _request(
        self,
        method: str,
        path: str,
        body: Resource | None = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Resource:
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Accept": accept} | ({} if data is None else {"Content-Type": content_type})
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        try:
            async with self._session.request(
                method, self._server + path, data=data, headers=headers, params=params, timeout=timeout
            ) as response:
                await self._check(response)
                answer: Resource = json.loads(await response.read())
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._silent(error) from error

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        self.answered = time.monotonic()
        if response.status < 400:
            return
        text = await response.text()
        try:
            message = str(json.loads(text)["message"])
        except (ValueError, KeyError, TypeError):
            message = text[:200]
        raise ApiError(response.status, f"the API server answered {response.status}: {message}")

    @staticmethod
    def _silent(error: Exception) -> ApiError:
        return ApiError(0, f"the API server does not answer: {error!r}")


async def lines_of(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream, as long as an event may be; aiohttp's own are no longer than its buffer."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > _LONGEST_LINE:
            raise ApiError(0, f"the API server sent a line of more than {_LONGEST_LINE} bytes")


async def connect() -> Api:
    """Opens a client with this process's credentials; belongs to the running event loop.

    Raises:
        ApiError: There are none.
    """
    info = await asyncio.to_thread(credentials)
    return Api(str(info.server), open_session(info))


def path(version: str, plural: str, namespace: str | None = None, *names: str) -> str:
    """The path of a list, an object (``name``) or a subresource (``name, "status"``)."""
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    where = [] if namespace is None else ["namespaces", namespace]
    return "/".join([root, *where, plural, *names])
