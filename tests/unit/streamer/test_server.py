from __future__ import annotations

import socket
from typing import Any

import click
import grpc
import pytest

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.server import Context
from splatworks_streamer.server import SERVICE


def never_started(request: Any) -> Any:
    raise AssertionError("nothing asked for an operation")


async def test_an_address_for_the_pages_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        context = Context(
            server=grpc.aio.server(),
            start=never_started,  # type: ignore[arg-type]
            store=ArtifactStore(StoreSettings("http://127.0.0.1:9", "key", "secret")),
            options={"http_listen": address, "http_host": ()},
            addresses={},
        )

        with pytest.raises(click.ClickException, match=f"Can not listen on {address}: .* in use"):
            async with SERVICE.open(context):
                pass


def http_hosts(*names: str) -> tuple[str, ...]:
    """What the streamer reads from its command line."""
    (option,) = [option for option in SERVICE.options if option.name == "http_host"]
    words = [f"--http-host={name}" for name in names]
    read: tuple[str, ...] = click.Command("x", params=[option]).make_context("x", words).params["http_host"]
    return read


@pytest.mark.parametrize("name", ["*foo", "foo.*", "*.*.example.com", "splats*.example.com"])
def test_a_name_that_nothing_could_be_compared_with_is_wrong_usage(name: str) -> None:
    with pytest.raises(click.UsageError, match="is no name of a host: write it like"):
        http_hosts(name)


def test_names_and_names_below_a_name_are_taken() -> None:
    assert http_hosts("splats.example.com", "*.example.com", "*") == (
        "splats.example.com",
        "*.example.com",
        "*",
    )
