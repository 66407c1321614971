"""How much training is done twice when a worker is killed shortly before its next checkpoint."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from splatworks.v1 import trainer_pb2
from splatworks_common.artifacts.checkpoint import checkpoint_uri
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_trainer.state import read_state
from tests.integration.trainer.workers import PATIENCE_SECONDS, eventually, worker

_NEARLY = 0.7
"""Of the time between two checkpoints, what goes by between a checkpoint's being stored and the kill. Not
more: the state was taken before it was stored, so the next one is taken before the whole time is up."""


@dataclass(frozen=True)
class LostWork:
    """What a kill has cost.

    Attributes:
        killed_step, killed_seconds: How far training was, by the last line of its log; and for how long it
            had gone on.
        stored_step, stored_seconds: How far the last checkpoint in the store is, and how long after the
            attempt's start its state was taken.
        resumed_step: Where the next attempt goes on.
        seconds: The training since then.
    """

    killed_step: int
    killed_seconds: float
    stored_step: int
    stored_seconds: float
    resumed_step: int
    seconds: float


async def lose(
    store: StoreSettings,
    folder: Path,
    first: trainer_pb2.TrainRequest,
    second: trainer_pb2.TrainRequest,
    *,
    threads: int = 1,
) -> LostWork:
    """``kill -9`` for a worker that trains, whose work another one takes over.

    Args:
        store: Where both work.
        folder: For their files.
        first, second: Two attempts at one training, which must last for two checkpoints.
        threads: Of each worker.

    Returns:
        What that has cost, rounded up: a step's time is that of the last line of the log before it.
    """
    interval = first.options.checkpoint_seconds
    async with worker(store, folder / "first", threads) as victim:
        await victim.started(first)
        with ArtifactStore(store) as artifacts:
            checkpoint = checkpoint_uri(S3Uri.parse(first.output_uri))
            await eventually(lambda: artifacts.read_manifest(checkpoint), interval + PATIENCE_SECONDS)
        seen = _seconds(victim.folder)
        await eventually(
            lambda: _seconds(victim.folder) >= seen + _NEARLY * interval, interval + PATIENCE_SECONDS
        )
        child = victim.child()
        victim.process.kill()
        killed_seconds = _seconds(victim.folder)
        await eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        lines = _lines(victim.folder)
    with ArtifactStore(store) as artifacts:
        manifest = artifacts.read_manifest(checkpoint)
        assert manifest is not None
        artifacts.download_artifact(checkpoint, folder / "checkpoint", manifest=manifest)
    stored = read_state(next(path for path in (folder / "checkpoint").iterdir() if path.is_dir()))
    async with worker(store, folder / "second", threads) as heir:
        name = (await heir.client.start(second)).name
        state = await heir.until(name, lambda state: "resumed_from_step" in state.progress.metrics)
        await heir.client.cancel(name)
    resumed_step = int(state.progress.metrics["resumed_from_step"])
    before = [line for line in lines if line.get("step", 0) <= resumed_step]
    return LostWork(
        killed_step=max(line.get("step", 0) for line in lines),
        killed_seconds=killed_seconds,
        stored_step=stored.position.step,
        stored_seconds=manifest.seconds,
        resumed_step=resumed_step,
        seconds=killed_seconds - before[-1]["seconds"],
    )


def _log(folder: Path) -> Path:
    (found,) = (folder / "scratch").rglob("output/training.log")
    return found


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _log(folder).read_text().splitlines()]


def _seconds(folder: Path) -> float:
    """For how long training has gone on by now: until its last line, and since."""
    return float(_lines(folder)[-1]["seconds"]) + max(0.0, time.time() - _log(folder).stat().st_mtime)
