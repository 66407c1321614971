"""gRPC channels to workers: plaintext on this machine, TLS with an identity beyond it.

A channel keeps the certificates it was made with. ``Channels`` hands out one channel per worker and makes new
ones when the files have changed; calls that are under way on an old one come to their end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc

from splatworks_common.addresses import Address
from splatworks_common.reasons import WorkerLost
from splatworks_common.tls import Pem, UnusableCertificate, read_pem
from splatworks_common.tokens import TokenFile, UnusableToken

_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),  # by default up to two minutes, too late for a restart
)
_LAST_CALLS_SECONDS = 60.0
"""How long calls of a channel that is replaced or forgotten may go on."""


@dataclass(frozen=True)
class ClientTls:
    """The files behind a client's TLS, in PEM.

    Attributes:
        ca: Who signs workers' certificates.
        cert: The client's own certificate and intermediates; None where a token is its identity.
        key: The private key of ``cert``.
    """

    ca: Path
    cert: Path | None = None
    key: Path | None = None


@contextlib.asynccontextmanager
async def connect(
    address: str,
    tls: ClientTls | None = None,
    token_file: Path | None = None,
    server_name: str | None = None,
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to one worker, with the certificates as they are now.

    Args:
        address: "host:port".
        tls: The certificates; None speaks plaintext, which never leaves this machine.
        token_file: The token to send with every call; needs ``tls``.
        server_name: The name that the worker's certificate must have; by default the address's host.

    Raises:
        ValueError: Plaintext beyond loopback, or a token without TLS.
        WorkerLost: The files can not be used.
    """
    channels = Channels(tls, token_file)
    try:
        yield channels.get(address, server_name)
    finally:
        await channels.close(0.0)


class Channels:
    """One channel for each worker, with the certificates of the day.

    Ask for the channel at every call and do not keep it: a kept one is closed when the certificates change.
    Belongs to one event loop.

    Example:
        >>> channels = Channels(ClientTls(ca, cert, key))
        >>> stub = WorkerServiceStub(channels.get("10.0.0.7:50051", "splatworks-sfm.splatworks.svc"))
    """

    def __init__(self, tls: ClientTls | None = None, token_file: Path | None = None) -> None:
        """Opens nothing yet.

        Args:
            tls: The certificates; None speaks plaintext, which never leaves this machine.
            token_file: The token to send with every call; needs ``tls``.

        Raises:
            ValueError: A token without TLS: it would travel in the open.
        """
        if token_file is not None and tls is None:
            raise ValueError("a token is sent over TLS only; give the worker's certificate authority as well")
        self._tls = tls
        self._token_file = token_file
        self._token: TokenFile | None = None
        self._pem: Pem | None = None
        self._channels: dict[tuple[str, str | None], grpc.aio.Channel] = {}
        self._closing: dict[asyncio.Task[None], grpc.aio.Channel] = {}

    def get(self, address: str, server_name: str | None = None) -> grpc.aio.Channel:
        """The channel to a worker; reads the certificates' files and opens nothing by itself.

        Args:
            address: "host:port".
            server_name: The name that the worker's certificate must have; by default the address's host.

        Raises:
            ValueError: ``address`` is none, or plaintext would leave this machine.
            WorkerLost: The files can not be used, and there were no usable ones before.
        """
        self._follow_certificates()
        key = (address, server_name)
        if key not in self._channels:
            self._channels[key] = self._open(address, server_name)
        return self._channels[key]

    def forget(self, address: str) -> None:
        """Closes the channels to a worker that is gone, once their calls have ended."""
        for key in [key for key in self._channels if key[0] == address]:
            self._retire(self._channels.pop(key))

    async def close(self, grace_seconds: float = 1.0) -> None:
        """Closes all channels; calls that go on longer than ``grace_seconds`` are cancelled."""
        channels = [*self._channels.values(), *self._closing.values()]
        self._channels.clear()
        await asyncio.gather(*(channel.close(grace_seconds) for channel in channels))
        await asyncio.gather(*self._closing)

    def _follow_certificates(self) -> None:
        if self._tls is None:
            return
        try:
            found = read_pem(cert=self._tls.cert, key=self._tls.key, ca=self._tls.ca)
        except UnusableCertificate as error:
            if self._pem is None:
                raise WorkerLost(f"No worker can be asked: {error}.") from error
            return  # in the middle of being replaced; the next call looks again
        if self._pem is not None and found != self._pem:
            for channel in self._channels.values():
                self._retire(channel)
            self._channels.clear()
        self._pem = found

    def _open(self, address: str, server_name: str | None) -> grpc.aio.Channel:
        if self._tls is None or self._pem is None:
            if not Address.parse(address).loopback:
                raise ValueError(f"{address} is not on this machine; it can be asked over TLS only")
            return grpc.aio.insecure_channel(address, options=_OPTIONS)
        credentials = grpc.ssl_channel_credentials(self._pem.ca, self._pem.key, self._pem.cert)
        if self._token_file is not None:
            bearer = grpc.metadata_call_credentials(_Bearer(self._opened_token(self._token_file)))
            credentials = grpc.composite_channel_credentials(credentials, bearer)
        override = [("grpc.ssl_target_name_override", server_name)] if server_name else []
        return grpc.aio.secure_channel(address, credentials, options=[*_OPTIONS, *override])

    def _opened_token(self, path: Path) -> TokenFile:
        if self._token is None:
            try:
                self._token = TokenFile(path)
            except UnusableToken as error:
                raise WorkerLost(f"No worker can be asked: {error}.") from error
        return self._token

    def _retire(self, channel: grpc.aio.Channel) -> None:
        task = asyncio.create_task(channel.close(_LAST_CALLS_SECONDS))
        self._closing[task] = channel
        task.add_done_callback(self._closing.pop)


class _Bearer(grpc.AuthMetadataPlugin):
    """Sends the token that its file holds at the moment of the call."""

    def __init__(self, token: TokenFile) -> None:
        self._token = token

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        callback((("authorization", f"Bearer {self._token.current()}"),), None)
