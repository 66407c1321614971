from __future__ import annotations

import pytest

from splatworks_common.addresses import Address


@pytest.mark.parametrize("text", ["127.0.0.1:50051", "[::1]:0", "worker.example:65535"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize("text", ["", "127.0.0.1", ":50051", "host:65536", "host:http", "host:-1"])
def test_anything_but_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write host:port"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.8.0.1:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.7:1", False),
        ("localhost.example:1", False),
    ],
)
def test_only_addresses_of_this_machine_are_loopback(text: str, loopback: bool) -> None:
    assert Address.parse(text).loopback is loopback
