"""A real streamer behind mutual TLS, and what makes it refuse and fail, as a platform at peace never does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from splatworks.v1 import streamer_pb2, streamer_pb2_grpc
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.operations import client
from splatworks_common.operations.channels import Channels, ClientTls
from splatworks_common.operations.client import StageClient
from splatworks_common.reasons import WorkerLost
from tests.certificates import Authority
from tests.integration.common.test_server import Running

_COMMAND = [sys.executable, "-m", "splatworks_streamer.server", "--http-listen", "127.0.0.1:0"]
_WORKER, _OPERATOR = "streamer.test.svc", "operator.test.svc"


@dataclass(frozen=True)
class SecuredStreamer:
    """The streamer.

    Attributes:
        running: Its process.
        authority: Who signs the certificates that it trusts.
        store: Its object store.
    """

    running: Running
    authority: Authority
    store: StoreSettings

    async def refuse_a_stranger(self) -> None:
        """It refuses a call of somebody whose certificate is good, but who is not the operator."""
        channels = self._channels("stranger", "stranger.test.svc")
        with pytest.raises(WorkerLost):
            await client.get_worker(channels.get(self.running.addresses["grpc"], _WORKER))
        await channels.close()

    async def fail_an_operation(self) -> None:
        """It is asked by the operator to publish a scene that is not there."""
        channels = self._channels("operator", _OPERATOR)
        channel = channels.get(self.running.addresses["grpc"], _WORKER)
        publish = streamer_pb2_grpc.StreamerServiceStub(channel).PublishScene
        stage = StageClient(publish, streamer_pb2.PublishSceneResponse, channel)
        nowhere = f"s3://{self.store.bucket}/monitoring/nowhere"
        request = streamer_pb2.PublishSceneRequest(
            request_id="drift.publish.1",
            compressed_uri=f"{nowhere}/compressed",
            gaussian_uri=f"{nowhere}/gaussian",
            output_uri=f"{nowhere}/published",
            slug="drift",
        )
        await stage.wait((await stage.start(request)).name, 60)
        await channels.close()

    def _channels(self, name: str, san: str) -> Channels:
        files = self.authority.issue(name, [san])
        return Channels(ClientTls(self.authority.file, files.cert, files.key))


@contextlib.contextmanager
def secured_streamer(store: StoreSettings, folder: Path) -> Iterator[SecuredStreamer]:
    """The streamer, for as long as the context lasts.

    Args:
        store: Its object store.
        folder: Where its files are.
    """
    authority = Authority(folder / "pki")
    worker = authority.issue("worker", [_WORKER])
    running = Running(
        store,
        folder,
        *("--tls-cert", str(worker.cert), "--tls-key", str(worker.key)),
        *("--tls-client-ca", str(authority.file), "--allowed-san", _OPERATOR),
        command=_COMMAND,
    )
    try:
        yield SecuredStreamer(running, authority, store)
    finally:
        running.close()
