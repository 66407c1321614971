"""How a forwarded port ends."""

from __future__ import annotations

import asyncio
from typing import Any

from splatworks_common.addresses import Address
from splatworks_common.tls_forwarder import forwarding


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1024):
        writer.write(chunk)
    writer.close()


async def open_when_it_ends() -> tuple[bytes, list[dict[str, Any]]]:
    """What a client reads once the port is closed, and what asyncio complained about meanwhile."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    target = await asyncio.start_server(echo, "127.0.0.1", 0)
    inside = Address("127.0.0.1", target.sockets[0].getsockname()[1])
    async with forwarding(Address("127.0.0.1", 0), inside, None) as outside:
        reader, writer = await asyncio.open_connection(outside.host, outside.port)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
    rest = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    target.close()
    return rest, complaints


def test_connections_end_with_the_port_and_nothing_is_reported() -> None:
    assert asyncio.run(open_when_it_ends()) == (b"", [])
