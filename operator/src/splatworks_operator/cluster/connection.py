"""A connection to the API server, found as kubectl finds it: flags, KUBECONFIG, ~/.kube/config, in-cluster.

Every answer that is an error becomes a ``ClusterError`` with a remedy. Credentials are written nowhere that
outlives the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import kr8s
import kr8s.asyncio
import yaml

from splatworks_operator.cluster.errors import ClusterError, ClusterUnreachable
from splatworks_operator.cluster.refusals import Asked, refusal
from splatworks_operator.cluster.target import Target

_CONNECT_SECONDS = 15.0
_ANSWER_SECONDS = 30.0
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_UNREACHABLE = (httpx.TransportError, kr8s.APITimeoutError, TimeoutError)


class Connection:
    """An authenticated connection; see ``connect``.

    Attributes:
        namespace: Where to look unless another namespace is named.
    """

    def __init__(self, api: kr8s.asyncio.Api, namespace: str) -> None:
        self._api = api
        self.namespace = namespace

    async def request(
        self,
        method: str,
        asked: Asked,
        *,
        version: str = "v1",
        parameters: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One request.

        Args:
            method: The HTTP method.
            asked: What it is about; the path follows from it.
            version: "v1" or "group/version".
            parameters: Of the query.
            body: What to send; with PATCH a merge patch (RFC 7396).

        Returns:
            The object of the answer.

        Raises:
            ClusterError: There was no answer, or it was no.
        """
        for attempt in range(2):
            async with self._answer(method, asked, version, parameters, body) as response:
                if response.status_code == 401 and attempt == 0:
                    await self._sign_in_again()
                    continue
                _check(asked, response)
                found: dict[str, Any] = response.json()
                return found
        raise AssertionError("the second answer is final")

    async def lines(
        self,
        asked: Asked,
        *,
        version: str = "v1",
        parameters: Mapping[str, str | int] | None = None,
        quiet_seconds: float | None = None,
    ) -> AsyncGenerator[str]:
        """The lines of an answer that goes on: a watch, or a log.

        Args:
            asked: What it is about.
            version: "v1" or "group/version".
            parameters: Of the query.
            quiet_seconds: With no line for so long the connection counts as dead; None waits for ever.

        Raises:
            ClusterError: There was no answer, it was no, or the connection broke off.
        """
        timeout = httpx.Timeout(_ANSWER_SECONDS, read=quiet_seconds)
        async with self._answer("GET", asked, version, parameters, None, timeout) as response:
            if response.status_code == 401:
                await self._sign_in_again()
                raise ClusterUnreachable("The cluster no longer accepts the credentials; they were renewed.")
            if response.is_error:
                await response.aread()
            _check(asked, response)
            async for line in response.aiter_lines():
                yield line

    @contextlib.asynccontextmanager
    async def _answer(
        self,
        method: str,
        asked: Asked,
        version: str,
        parameters: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | None,
        stream_timeout: httpx.Timeout | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The answer, whatever its status."""
        kind, _, part = asked.resource.partition("/")
        name = asked.name if asked.verb != "create" else ""
        given: dict[str, Any] = {}
        if parameters:
            given["params"] = dict(parameters)
        if body is not None:
            given["content"] = json.dumps(body)
        if method == "PATCH":
            given["headers"] = {"Content-Type": "application/merge-patch+json"}
        if stream_timeout is not None:
            given |= {"stream": True, "timeout": stream_timeout}
        try:
            async with self._api.call_api(
                method,
                version=version,
                namespace=asked.namespace or None,
                url="/".join(word for word in (kind, name, part) if word),
                raise_for_status=False,
                **given,
            ) as response:
                yield response
        except _UNREACHABLE as error:
            raise _unreachable(self._api.auth.server, error) from error

    async def _sign_in_again(self) -> None:
        """Reads the credentials anew: those of a cloud's plugin last minutes."""
        try:
            await self._api.auth.reauthenticate()
        except _BAD_KUBECONFIG as error:
            raise _bad_kubeconfig(error) from error
        await self.close()  # the next request opens a session with the new ones

    async def close(self) -> None:
        """Closes what is open."""
        if self._api._session is not None:  # kr8s offers no other way
            await self._api._session.aclose()


@contextlib.asynccontextmanager
async def connect(target: Target) -> AsyncIterator[Connection]:
    """A connection to the cluster that ``target`` names.

    Raises:
        ClusterError: No cluster is configured, or the configuration can not be used.
        ClusterUnreachable: There is no answer from it.
    """
    if target.kubeconfig is not None and not target.kubeconfig.is_file():
        raise ClusterError(f"There is no kubeconfig at {target.kubeconfig}: give another with --kubeconfig.")
    with _passing_files():
        api = await _sign_in(target)
        connection = Connection(api, target.namespace or _namespace(api))
        try:
            yield connection
        finally:
            await connection.close()


_BAD_KUBECONFIG = (ValueError, KeyError, IndexError, TypeError, RuntimeError, OSError, yaml.YAMLError)
"""What kr8s raises for a kubeconfig that is incomplete or names what is not there."""


async def _sign_in(target: Target) -> kr8s.asyncio.Api:
    try:
        with warnings.catch_warnings():
            # The few requests made here are the same in every version of Kubernetes since 1.16.
            warnings.filterwarnings("ignore", message=".*Kubernetes version")
            async with asyncio.timeout(_CONNECT_SECONDS):
                api = await kr8s.asyncio.api(
                    kubeconfig=str(target.kubeconfig) if target.kubeconfig else None, context=target.context
                )
    except _UNREACHABLE as error:
        raise _unreachable("the address in the kubeconfig", error) from error
    except kr8s.ServerError as error:
        code = error.response.status_code if error.response is not None else 500
        raise refusal(Asked("get", "version"), code, {"message": str(error)}) from error
    except _BAD_KUBECONFIG as error:
        raise _bad_kubeconfig(error) from error
    api.timeout = _ANSWER_SECONDS
    return api


def _namespace(api: kr8s.asyncio.Api) -> str:
    """The namespace of the context in use; in a pod without a kubeconfig, the pod's own."""
    if api.auth.active_context:
        context = api.auth.kubeconfig.get_context(api.auth.active_context)
        return str(context.get("namespace") or "default")
    return _OWN_NAMESPACE.read_text().strip() if _OWN_NAMESPACE.is_file() else "default"


@contextlib.contextmanager
def _passing_files() -> Iterator[None]:
    """kr8s writes a kubeconfig's keys into temporary files and leaves them; here they go in the end."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="splatworks-") as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def _check(asked: Asked, response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        status = response.json()
    except ValueError:
        status = {"message": response.text[:200]}
    raise refusal(asked, response.status_code, status if isinstance(status, dict) else {})


def _unreachable(server: str, error: Exception) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"There is no answer from the cluster at {server} ({str(error) or type(error).__name__}): check that "
        "it runs and that --kubeconfig and --context name it."
    )


def _bad_kubeconfig(error: Exception) -> ClusterError:
    if "Unable to find valid credentials" in str(error):
        return ClusterError(
            "No cluster is configured: give a kubeconfig with --kubeconfig or KUBECONFIG, or put one at "
            "~/.kube/config."
        )
    said = f"it has no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
    return ClusterError(
        f"The kubeconfig can not be used ({said}): 'kubectl config view' shows it, and --kubeconfig "
        "and --context choose another."
    )
