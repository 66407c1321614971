"""``python -m tests.bench.worker_loss FOLDER``: what ``kill -9`` of a training worker costs by default.

FOLDER holds ``colmap``, the output of sfm, as for ``tests.bench.stage``. Real workers, a real embedded store;
the worker is killed shortly before it would take its next checkpoint, and another one goes on.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from splatworks.v1 import common_pb2, trainer_pb2
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.embedded_store import EmbeddedStore
from splatworks_trainer.config import STANDARD
from tests.integration.trainer.lost_work import LostWork, lose


def measure(colmap: Path) -> LostWork:
    """Kills one worker."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedStore(Path(directory) / "store") as store:
        job = S3Uri(store.settings.bucket, "job")
        with ArtifactStore(store.settings) as artifacts:
            artifacts.upload_directory(colmap, job / "colmap")
        attempts = [
            trainer_pb2.TrainRequest(
                request_id=f"job.train.{number}",
                colmap_uri=str(job / "colmap"),
                output_uri=str(job / "gaussian"),
                cache_policy=common_pb2.CACHE_POLICY_NEVER,
                options=trainer_pb2.TrainOptions(checkpoint_seconds=STANDARD.checkpoint_seconds),
            )
            for number in (1, 2)
        ]
        threads = len(os.sched_getaffinity(0))
        return asyncio.run(lose(store.settings, Path(directory), *attempts, threads=threads))


if __name__ == "__main__":
    print(measure(Path(sys.argv[1]) / "colmap"))
