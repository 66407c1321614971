"""The four real services as processes on loopback, and the object store behind them.

What a cluster's kubelet would do is the test's business here: a worker that is killed stays dead until the
test starts it again at its address. A worker's log outlives it, so that it can be told at the end which
request ids ran, and how often.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from tests.e2e.kube.waiting import until
from tests.loopback import get

SERVICES = ("sfm", "trainer", "compressor", "streamer")

STAGES = ("sfm", "train", "compress", "publish")
"""What they do, in order, as a job's status has it."""

PHOTO_COUNT = 12
"""How many photos the sample's folder has: the fewest of which some are held out by default."""

CHECKPOINT_SECONDS = 5
"""The shortest time between two checkpoints that a job may ask for."""

_CHILD = "splatworks_common.operations.child_main"
"""The module that an operation's own process runs."""


@dataclass
class Worker:
    """One process of one service.

    Attributes:
        service: Which ("trainer").
        folder: Where its log, its ready file and its scratch are.
        process: The server.
    """

    service: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log").read_text()

    @property
    def addresses(self) -> dict[str, str]:
        """Where it listens, by name ("grpc", "metrics", "http")."""
        found = json.loads((self.folder / "ready.json").read_text())
        return {name: str(where) for name, where in found.items()}

    @property
    def address(self) -> str:
        """Where it is called."""
        return self.addresses["grpc"]

    def wait_until_ready(self) -> None:
        """Returns once it has opened its ports."""
        until(
            lambda: (self.folder / "ready.json").exists(),
            f"the {self.service} is not ready",
            detail=lambda: self.log,
        )

    def scrape(self) -> str:
        """Its metrics."""
        return get(f"http://{self.addresses['metrics']}/metrics")[1]

    def started(self) -> Counter[str]:
        """How often each request id was run here."""
        lines = (json.loads(line) for line in self.log.splitlines() if line.startswith("{"))
        return Counter(line["request_id"] for line in lines if line["message"] == "operation started")

    def child(self) -> psutil.Process:
        """The process of the one operation that runs, once there is one."""

        def find() -> psutil.Process | None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            return next((child for child in children if _CHILD in child.cmdline()), None)

        return until(find, f"the {self.service} runs nothing")

    def steps_were_done(self) -> bool:
        """Whether the training that runs here has made some steps."""
        logs = (self.folder / "scratch").rglob("training.log")
        return any('"progress"' in log.read_text() for log in logs)

    def freeze(self, seconds: float) -> None:
        """Stops what runs here for a time, and lets it go on."""
        child = self.child()
        child.suspend()
        time.sleep(seconds)
        child.resume()

    def kill(self) -> None:
        """``kill -9``; returns when what it ran is gone, too."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        _, left = psutil.wait_procs(family, timeout=20)
        assert not left, f"the {self.service} was killed, but not what it ran"

    def stop(self) -> None:
        """Ends it, and what it runs, at once and in order."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


@dataclass
class Platform:
    """A store and the workers over it.

    Attributes:
        store: How to reach the store.
        folder: Where the workers keep what is theirs.
        workers: Every worker that was ever started, dead ones too.
    """

    store: StoreSettings
    folder: Path
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.artifacts = ArtifactStore(self.store)

    def start(self, service: str, listen: str = "127.0.0.1:0") -> Worker:
        """Starts a worker; it has not opened its ports yet."""
        folder = self.folder / f"{service}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", f"splatworks_{service}.server", "--listen", listen),
                    *("--ready-file", folder / "ready.json", "--scratch", folder / "scratch"),
                    "--stop-on-stdin-eof",
                ],
                env={**os.environ, **self.store.environment()},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        self.workers.append(Worker(service, folder, process))
        return self.workers[-1]

    def close(self) -> None:
        """Ends all workers."""
        for worker in self.workers:
            worker.stop()
        self.artifacts.close()

    def shared(self, service: str) -> Worker:
        """The first worker of a service, which all tests share."""
        return next(worker for worker in self.workers if worker.service == service)

    def url(self, path: str) -> str:
        """Where the shared streamer answers for a path."""
        return f"http://{self.shared('streamer').addresses['http']}{path}"

    def wait_for_checkpoint(self, trainer: Worker, job_uid: str) -> None:
        """Returns once the training that the worker runs has a checkpoint, whatever the machine's speed."""
        until(lambda: trainer.steps_were_done(), "training does not begin", detail=lambda: trainer.log)
        trainer.freeze(CHECKPOINT_SECONDS)
        checkpoint = f"s3://{self.store.bucket}/jobs/{job_uid}/gaussian.checkpoint/"
        until(
            lambda: any(key.endswith("/manifest.json") for key in self.keys(checkpoint)),
            "training keeps no checkpoint",
            detail=lambda: trainer.log,
        )

    def started(self, job_uid: str) -> Counter[str]:
        """How often each request id of a job was run, by any worker that ever lived."""
        every = sum((worker.started() for worker in self.workers), Counter[str]())
        return Counter({name: count for name, count in every.items() if name.startswith(f"{job_uid}.")})

    def keys(self, uri: str) -> list[str]:
        """The objects beneath a prefix."""
        where = S3Uri.parse(uri)
        return [entry.key for entry in self.artifacts.list_objects(where)]

    def json_lines(self, uri: str) -> list[dict[str, Any]]:
        """A file of JSON objects, one a line."""
        return [json.loads(line) for line in self.artifacts.get_bytes(S3Uri.parse(uri)).splitlines()]

    def upload(self, photos: Iterable[Path], uri: str) -> None:
        """Puts photos under a prefix."""
        for photo in photos:
            self.artifacts.upload_file(photo, S3Uri.parse(uri) / photo.name)
