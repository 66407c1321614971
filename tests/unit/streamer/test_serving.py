from __future__ import annotations

import signal
import socket

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from splatworks_streamer.web.serving import serve


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello)])


async def test_a_server_on_port_0_tells_its_port_and_answers_at_once() -> None:
    server = await serve(APP, "127.0.0.1", 0)
    try:
        async with httpx2.AsyncClient(trust_env=False) as client:
            response = await client.get(f"http://127.0.0.1:{server.port}/")
        assert server.started
        assert response.text == "hello"
    finally:
        await server.stop()


async def test_a_stopped_server_listens_no_more() -> None:
    server = await serve(APP, "127.0.0.1", 0)

    await server.stop()

    assert not server.started
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5).close()


async def test_two_servers_run_beside_each_other() -> None:
    one, two = await serve(APP, "127.0.0.1", 0), await serve(APP, "127.0.0.1", 0)

    assert one.port != two.port

    await one.stop()
    assert two.started
    await two.stop()


async def test_signals_stay_the_callers() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    server = await serve(APP, "127.0.0.1", 0)
    during = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    await server.stop()

    assert during == before


async def test_a_port_that_is_taken_is_an_error() -> None:
    server = await serve(APP, "127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            await serve(APP, "127.0.0.1", server.port)
    finally:
        await server.stop()
