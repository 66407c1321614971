"""Real training workers as processes, and waiting for what they do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from splatworks.v1 import trainer_pb2, trainer_pb2_grpc
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.operations.channels import connect
from splatworks_common.operations.client import OperationState, StageClient

STEPS_BEFORE = 60
"""How many steps are "a few"."""

PATIENCE_SECONDS = 120.0
"""For so long a thing is waited for that must come; what takes longer hangs, however busy the machine is."""

Trained = OperationState[trainer_pb2.TrainResponse]


@dataclass
class Worker:
    """A ``splatworks-trainer`` of its own and a client of it.

    Attributes:
        process: The server.
        client: Calls it.
        folder: Where its files are.
    """

    process: subprocess.Popen[bytes]
    client: StageClient[trainer_pb2.TrainResponse]
    folder: Path

    async def until(self, name: str, wanted: Callable[[Trained], bool]) -> Trained:
        """The operation as soon as it is as wanted; it must not have ended before."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                state = await self.client.get(name)
                if wanted(state):
                    return state
                assert not state.done, state
                await asyncio.sleep(0.02)

    async def started(self, request: trainer_pb2.TrainRequest) -> str:
        """Starts the request; returns its operation's name after a few steps."""
        name = (await self.client.start(request)).name
        await self.until(
            name, lambda state: state.progress.step == "train" and state.progress.done >= STEPS_BEFORE
        )
        return name

    def child(self) -> psutil.Process:
        """The process of the operation that runs."""
        [child] = psutil.Process(self.process.pid).children()
        return child


def _launched(store: StoreSettings, folder: Path, threads: int) -> tuple[subprocess.Popen[bytes], str]:
    """A server's process and its address."""
    ready = folder / "ready.json"
    folder.mkdir()
    options = ("--ready-file", ready, "--scratch", folder / "scratch", "--threads", threads)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "splatworks_trainer.server", *map(str, options)],
            env=store.environment(),
            stderr=log,
        )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not ready.exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, f"not ready within {PATIENCE_SECONDS:g} s"
        time.sleep(0.02)
    return process, json.loads(ready.read_text())["grpc"]


@contextlib.asynccontextmanager
async def worker(store: StoreSettings, folder: Path, threads: int = 1) -> AsyncIterator[Worker]:
    """A worker for as long as the context lasts; its files are in ``folder``, which does not exist yet."""
    process, address = _launched(store, folder, threads)
    try:
        async with connect(address) as channel:
            rpc = trainer_pb2_grpc.TrainerServiceStub(channel).Train
            yield Worker(process, StageClient(rpc, trainer_pb2.TrainResponse, channel), folder)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_SECONDS)


async def eventually(look: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Returns once ``look`` finds something."""
    async with asyncio.timeout(seconds):
        while True:
            if await asyncio.to_thread(look):
                return
            await asyncio.sleep(0.05)
