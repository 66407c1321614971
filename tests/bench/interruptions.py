"""``python -m tests.bench.interruptions FOLDER``: what ends a training before its time, and what that takes.

FOLDER holds ``colmap``, the output of sfm, as for ``tests.bench.stage``. Real workers, a real embedded store,
default options. Some attempts are cancelled after their first steps: how long until Cancel answers, which is
when none of their processes is left. Then a worker is killed shortly before it would take its next
checkpoint, and another one goes on: how much is done twice.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil

from splatworks.v1 import common_pb2, trainer_pb2
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.embedded_store import EmbeddedStore
from splatworks_trainer.config import STANDARD
from tests.integration.trainer.lost_work import lose
from tests.integration.trainer.workers import worker

_THREADS = len(os.sched_getaffinity(0))
_CANCELS = 5


def _attempts(job: S3Uri) -> Iterator[trainer_pb2.TrainRequest]:
    """One attempt at the same training after the other."""
    number = 0
    while True:
        number += 1
        yield trainer_pb2.TrainRequest(
            request_id=f"job.train.{number}",
            colmap_uri=str(job / "colmap"),
            output_uri=str(job / "gaussian"),
            cache_policy=common_pb2.CACHE_POLICY_NEVER,
            options=trainer_pb2.TrainOptions(checkpoint_seconds=STANDARD.checkpoint_seconds),
        )


async def _cancel(store: StoreSettings, folder: Path, request: trainer_pb2.TrainRequest) -> float:
    """Cancels a training that has begun; the seconds until that is answered."""
    async with worker(store, folder, _THREADS) as busy:
        name = await busy.started(request)
        child = busy.child()
        began = time.monotonic()
        await busy.client.cancel(name)
        seconds = time.monotonic() - began
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    return seconds


async def measure(store: StoreSettings, folder: Path, job: S3Uri) -> None:
    """Interrupts and prints."""
    attempts = _attempts(job)
    seconds = [await _cancel(store, folder / f"cancelled-{i}", next(attempts)) for i in range(_CANCELS)]
    print(f"Cancel answered after {median(seconds):.2f} s, at most {max(seconds):.2f} s ({_CANCELS} times)")
    print(await lose(store, folder, next(attempts), next(attempts), threads=_THREADS))


def main() -> None:
    """Uploads the model and interrupts its training."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedStore(Path(directory) / "store") as store:
        job = S3Uri(store.settings.bucket, "job")
        with ArtifactStore(store.settings) as artifacts:
            artifacts.upload_directory(Path(sys.argv[1]) / "colmap", job / "colmap")
        asyncio.run(measure(store.settings, Path(directory), job))


if __name__ == "__main__":
    main()
