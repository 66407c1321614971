"""Lets clients beyond this machine reach a plain TCP port on loopback, over TLS.

For a server that can listen either on loopback alone or, with all of its ports, everywhere. Bytes pass
unchanged: who may ask for what stays that server's business. A certificate whose files are replaced is served
from the next handshake on; one that can not be used is not, the last good one stays.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from splatworks_common.addresses import Address
from splatworks_common.tls import Pem, UnusableCertificate, read_pem

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_HANDSHAKE_SECONDS = 10.0


class Certificate:
    """A server's certificate and key, always the last usable ones of their files."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Reads the files for the first time.

        Raises:
            UnusableCertificate: They can not be used.
        """
        self._cert = cert
        self._key = key
        self._pem, self._current = self._read(None)
        self._complaint = ""

    def context(self) -> ssl.SSLContext:
        """A context for listeners; each handshake gets the certificate that is valid at its time."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._cert, self._key)
        context.sni_callback = self._choose  # called at every handshake, also of clients that name no server
        return context

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        try:
            self._pem, self._current = self._read(self._pem)
        except UnusableCertificate as error:
            if str(error) != self._complaint:
                log.error("the replaced certificate is not used, the last one stays: %s", error)
            self._complaint = str(error)
        else:
            self._complaint = ""
        connection.context = self._current

    def _read(self, known: Pem | None) -> tuple[Pem, ssl.SSLContext]:
        """What the files hold, and a context with it; those of before where nothing has changed."""
        found = read_pem(cert=self._cert, key=self._key, ca=None)
        if found == known:
            return found, self._current
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self._cert, self._key)
        except (ssl.SSLError, OSError) as error:
            raise UnusableCertificate(f"{self._cert} and {self._key} do not fit ({error})") from error
        return found, context


@asynccontextmanager
async def forwarding(
    listen: Address, target: Address, certificate: Certificate | None
) -> AsyncIterator[Address]:
    """Forwards connections for as long as the context lasts; yields the address that is listened on.

    Args:
        listen: Where clients connect; port 0 picks one.
        target: The plain port that they reach.
        certificate: What this end shows; None forwards without TLS.

    Raises:
        OSError: ``listen`` can not be bound.
    """
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        connections.add(connection)
        try:
            await _forward(reader, writer, target)
        except asyncio.CancelledError:  # by the end of the context; asyncio would report it as an error
            log.debug("a connection is closed with the port")
        finally:
            connections.discard(connection)

    server = await asyncio.start_server(
        serve,
        listen.host,
        listen.port,
        limit=_CHUNK,
        ssl=certificate.context() if certificate else None,
        ssl_handshake_timeout=_HANDSHAKE_SECONDS if certificate else None,
    )
    try:
        yield replace(listen, port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Address) -> None:
    """Copies both ways until both ends have nothing more to say, or one of them is gone."""
    try:
        target_reader, target_writer = await asyncio.open_connection(target.host, target.port, limit=_CHUNK)
    except OSError as error:
        log.warning("%s can not be reached: %s", target, error)
        writer.close()
        return
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(reader, target_writer))
            both.create_task(_copy(target_reader, writer))
    except* OSError as gone:
        log.debug("a connection ended early: %s", gone.exceptions)
    finally:
        target_writer.close()
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()  # TLS has no half-closed connections
