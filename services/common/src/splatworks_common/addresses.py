"""``host:port``, and whether it leaves this machine: what may be spoken without TLS depends on that."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class Address:
    """Where something listens.

    Attributes:
        host: A name or an IP address, without brackets.
        port: 0 to 65535.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Reads "127.0.0.1:50051", "[::1]:50051" or "worker.example:50051".

        Raises:
            ValueError: It is not host:port.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"{text!r} is not an address; write host:port, like 127.0.0.1:50051.")
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    @property
    def loopback(self) -> bool:
        """True where nothing beyond this machine can reach it. Of names, only "localhost" is known to be."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
