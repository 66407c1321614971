"""Keeps from kopf what it need not know: a watch's echoes of the operator's own writes.

Every status that a driver writes comes back as an event of kopf's watch, and there are more of these than of
all others. kopf looks at each from all sides and finds nothing to do, which takes it longer than the driver
took to decide. Left out are only lines of a watch; lists, and all that somebody else did, come through.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import aiohttp

from splatworks_operator.kube.api import Resource, lines_of


class WithoutEchoes:
    """A middleware for the session that kopf watches through.

    Args:
        is_echo: Whether an event is to be left out.
    """

    def __init__(self, is_echo: Callable[[Resource], bool]) -> None:
        self._is_echo = is_echo

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Sends the request; where a watch answers, it is answered with what is left of it."""
        response = await handler(request)
        if "watch" in request.url.query and response.ok:
            response.content = cast(aiohttp.StreamReader, _Filtered(response.content, self._is_echo))
        return response


class _Filtered:
    """A response's content as kopf reads it, without some of its lines."""

    def __init__(self, content: aiohttp.StreamReader, is_echo: Callable[[Resource], bool]) -> None:
        self._content = content
        self._is_echo = is_echo

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        """The lines that are left, one by one."""
        async for line in lines_of(self._content):
            if line and not self._is_echo(json.loads(line)):
                yield line + b"\n"
