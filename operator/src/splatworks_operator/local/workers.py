"""The four services as child processes on loopback, restarted when they die.

A service never outlives this process: it stops when its stdin ends, which happens however this process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from splatworks_common.operations import channels
from splatworks_common.reasons import Internal

SERVICES = ("sfm", "trainer", "compressor", "streamer")
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_TAIL_BYTES = 1500


@dataclass
class Worker:
    """One running service.

    Attributes:
        service: Its name ("sfm").
        addresses: Where it listens, by name ("grpc", "metrics", "http").
        channel: An open gRPC channel to it.
    """

    service: str
    addresses: Mapping[str, str]
    channel: grpc.aio.Channel
    process: asyncio.subprocess.Process = field(repr=False)
    _resources: contextlib.AsyncExitStack = field(repr=False)

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self.process.returncode is None

    async def stop(self) -> None:
        """Ends the service and what it runs."""
        await self._resources.aclose()
        await _end(self.process)


class Workers:
    """Starts services on demand and keeps them.

    Args:
        directory: For logs and ready files.
        scratch: For the files of running operations.
        environment: Variables for every service: where the object store is, and its keys.
        http_port: Port of the streamer's pages; 0 picks a free one.
        threads: Threads of one operation.
    """

    def __init__(
        self, directory: Path, *, scratch: Path, environment: Mapping[str, str], http_port: int, threads: int
    ) -> None:
        self._directory = directory
        self._scratch = scratch
        self._environment = environment
        self._http_port = http_port
        self._threads = threads
        self._workers: dict[str, Worker] = {}

    async def get(self, service: str) -> Worker:
        """The running service; started again where it has died.

        Raises:
            Internal: It does not start; the message ends with its last log lines.
        """
        worker = self._workers.get(service)
        if worker is not None and worker.alive:
            return worker
        if worker is not None:
            await worker.stop()
            # Whoever has a page open finds the scene again where it was.
            self._http_port = int(worker.addresses.get("http", f":{self._http_port}").rpartition(":")[2])
        self._workers[service] = await self._start(service)
        return self._workers[service]

    def running(self, service: str) -> Worker | None:
        """The service if it runs; never starts it."""
        worker = self._workers.get(service)
        return worker if worker is not None and worker.alive else None

    async def start_all(self) -> None:
        """Starts every service, side by side."""
        await asyncio.gather(*(self.get(service) for service in SERVICES))

    async def stop_all(self) -> None:
        """Ends every service, side by side."""
        await asyncio.gather(*(worker.stop() for worker in self._workers.values()))
        self._workers.clear()

    async def _start(self, service: str) -> Worker:
        ready, log = self._directory / f"{service}.ready", self._directory / f"{service}.log"
        ready.unlink(missing_ok=True)
        arguments = [
            *("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"),
            *("--ready-file", str(ready), "--scratch", str(self._scratch), "--stop-on-stdin-eof"),
            *("--threads", str(self._threads)),
        ]
        if service == "streamer":
            arguments += ["--http-listen", f"127.0.0.1:{self._http_port}"]
        with log.open("ab") as log_file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"splatworks_{service}.server", *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=log_file,
                stderr=log_file,
                env={**_inherited(), **self._environment},
                start_new_session=True,  # Ctrl-C is for the runner, which stops its services itself
            )
        try:
            addresses = await _addresses(process, ready, service, log)
        except BaseException:
            await _end(process)
            raise
        async with contextlib.AsyncExitStack() as stack:
            channel = await stack.enter_async_context(channels.connect(addresses["grpc"]))
            return Worker(service, addresses, channel, process, stack.pop_all())


def _inherited() -> dict[str, str]:
    """The environment without settings that are meant for one service and would reach all of them."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SPLATWORKS_") or name == "SPLATWORKS_ISA"
    }


async def _addresses(
    process: asyncio.subprocess.Process, ready: Path, service: str, log: Path
) -> Mapping[str, str]:
    with contextlib.suppress(asyncio.TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                if addresses := _read_ready_file(ready):
                    return addresses
                await asyncio.sleep(0.02)
    raise Internal(f"The {service} service does not start. The end of {log}:\n{_tail(log)}")


def _read_ready_file(path: Path) -> Mapping[str, str] | None:
    if not path.exists():
        return None
    return {name: str(address) for name, address in json.loads(path.read_text()).items()}


def _tail(log: Path) -> str:
    return log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()  # the service stops, and ends what it runs, when its stdin ends
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


@contextlib.asynccontextmanager
async def running(workers: Workers) -> AsyncIterator[Workers]:
    """Starts all services, and ends them on the way out."""
    try:
        await workers.start_all()
        yield workers
    finally:
        await workers.stop_all()
