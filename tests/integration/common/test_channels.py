"""The pool of channels, on plaintext loopback and with files that change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from splatworks_common.operations.channels import Channels, ClientTls, connect
from splatworks_common.reasons import WorkerLost
from tests.certificates import Authority

METHOD = "/test.Echo/Call"


class _Echo(grpc.GenericRpcHandler):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.go_on = asyncio.Event()

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler[Any, Any]:
        return grpc.unary_unary_rpc_method_handler(self._answer)

    async def _answer(self, request: bytes, context: Any) -> bytes:
        self.called.set()
        await self.go_on.wait()
        return request


@pytest.fixture
async def echo() -> AsyncIterator[tuple[_Echo, str]]:
    handler = _Echo()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([handler])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield handler, f"127.0.0.1:{port}"
    await server.stop(0)


@pytest.fixture
def tls(tmp_path: Path) -> ClientTls:
    authority = Authority(tmp_path)
    files = authority.issue("client", ["operator.test.svc"])
    return ClientTls(authority.file, files.cert, files.key)


async def test_a_worker_has_one_channel(tls: ClientTls) -> None:
    channels = Channels(tls)
    one, same = channels.get("10.0.0.1:50051", "sfm"), channels.get("10.0.0.1:50051", "sfm")
    other_worker, other_name = channels.get("10.0.0.2:50051", "sfm"), channels.get("10.0.0.1:50051", "train")
    await channels.close()

    assert one is same
    assert len({id(one), id(other_worker), id(other_name)}) == 3


async def test_a_changed_file_makes_new_channels(tls: ClientTls, tmp_path: Path) -> None:
    channels = Channels(tls)
    before = channels.get("10.0.0.1:50051")
    tls.ca.write_bytes(tls.ca.read_bytes() + Authority(tmp_path / "second").file.read_bytes())
    after = channels.get("10.0.0.1:50051")
    await channels.close()

    assert before is not after


async def test_files_touched_without_a_change_make_none(tls: ClientTls) -> None:
    channels = Channels(tls)
    before = channels.get("10.0.0.1:50051")
    tls.ca.write_bytes(tls.ca.read_bytes())
    after = channels.get("10.0.0.1:50051")
    await channels.close()

    assert before is after


async def test_files_in_the_middle_of_a_change_keep_the_channels(tls: ClientTls) -> None:
    channels = Channels(tls)
    before = channels.get("10.0.0.1:50051")
    tls.ca.write_text("")
    after = channels.get("10.0.0.1:50051")
    await channels.close()

    assert before is after


async def test_files_that_never_were_usable_lose_the_worker(tls: ClientTls) -> None:
    tls.ca.unlink()

    with pytest.raises(WorkerLost, match=r"No worker can be asked: .*ca\.crt can not be read"):
        Channels(tls).get("10.0.0.1:50051")


async def test_a_call_under_way_ends_well_on_a_forgotten_channel(echo: tuple[_Echo, str]) -> None:
    handler, address = echo
    channels = Channels()
    channel = channels.get(address)
    call = asyncio.ensure_future(_call(channel))
    await handler.called.wait()
    channels.forget(address)
    handler.go_on.set()

    assert await call == b"hello"
    assert channels.get(address) is not channel
    await channels.close()


async def test_a_plaintext_channel_does_not_leave_this_machine() -> None:
    with pytest.raises(ValueError, match="not on this machine"):
        Channels().get("10.0.0.1:50051")


async def test_a_token_is_not_sent_in_plaintext(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="over TLS only"):
        async with connect("127.0.0.1:50051", token_file=tmp_path / "token"):
            pass


async def _call(channel: grpc.aio.Channel) -> bytes:
    method: Any = channel.unary_unary(METHOD)
    return bytes(await method(b"hello", timeout=30))
