"""Runs an ASGI application in the caller's event loop, beside whatever else runs there.

Signals stay the caller's business: uvicorn would take SIGINT and SIGTERM for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

_GRACE_SECONDS = 5
_BACKLOG = 128


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes no signals."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tells when connections are accepted."""
        await super().startup(sockets)
        self.ready.set()


class HttpServer:
    """A running HTTP server.

    Attributes:
        host: The address it listens on.
        port: The port, also where 0 was asked for.
    """

    def __init__(self, server: _Server, task: asyncio.Task[None], host: str, port: int) -> None:
        self._server = server
        self._task = task
        self.host = host
        self.port = port

    @property
    def started(self) -> bool:
        """Whether it accepts connections."""
        return self._server.started and not self._task.done()

    async def stop(self) -> None:
        """Stops listening, gives running requests a few seconds, and returns when all is closed."""
        self._server.should_exit = True
        await self._task


async def serve(app: ASGIApp, host: str, port: int) -> HttpServer:
    """Starts serving ``app``; returns when connections are accepted.

    Example:
        >>> server = await serve(create_app(registry), "127.0.0.1", 0)
        >>> print(f"http://{server.host}:{server.port}/")
        >>> await server.stop()

    Args:
        app: The application.
        host: Address or name to listen on.
        port: 0 takes a free one.

    Raises:
        OSError: The address can not be listened on.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws="none",
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
        ready.cancel()
        await task
        raise OSError(f"the HTTP server on {host}:{port} ended while it started")
    return HttpServer(server, task, host, listener.getsockname()[1])


def _listen(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
