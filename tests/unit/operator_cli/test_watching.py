from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from rich.console import Console

from splatworks_operator.cluster.splatjob import SplatJob
from splatworks_operator.cluster.watch import watch_all, watch_one


def job(name: str, **status: Any) -> SplatJob:
    metadata = {
        "name": name,
        "namespace": "foxes",
        "uid": name,
        "creationTimestamp": "2026-11-20T12:00:00Z",
    }
    return SplatJob({"metadata": metadata, "spec": {}, "status": status})


class _Enough(Exception):
    pass


class Jobs:
    """Two jobs, one of which is deleted while somebody watches."""

    async def listed(self, **_: object) -> tuple[list[SplatJob], str]:
        return [job("fox", phase="Running", currentStage="sfm"), job("wolf", phase="Queued")], "1"

    async def watch(self, **_: object) -> AsyncIterator[tuple[str, SplatJob]]:
        yield "DELETED", job("wolf")
        yield "MODIFIED", job("fox", phase="Running", currentStage="train")
        raise _Enough

    async def follow(self, _: str) -> AsyncIterator[SplatJob]:
        yield job("fox")
        yield job("fox", phase="Queued", message="Waiting for a worker (1 ahead)")
        yield job("fox", phase="Queued", message="Waiting for a worker (1 ahead)")
        yield job("fox", phase="Suspended")
        yield job("fox", phase="Succeeded")


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_on_a_terminal_all_jobs_are_a_table_that_changes(terminal):
    with pytest.raises(_Enough):
        await watch_all(Jobs(), terminal)  # type: ignore[arg-type]
    last = text(terminal).rpartition("NAME")[2]
    assert "train" in last
    assert "wolf" not in last


async def test_elsewhere_only_what_changed_is_printed():
    console = Console(file=io.StringIO(), width=120)
    with pytest.raises(_Enough):
        await watch_all(Jobs(), console)  # type: ignore[arg-type]
    assert text(console).splitlines() == [
        "foxes/fox  Running  sfm",
        "foxes/wolf  Queued",
        "foxes/fox  Running  train",
    ]


async def test_what_a_job_waits_for_is_said_once():
    console = Console(file=io.StringIO(), width=120)
    ended = await watch_one(Jobs(), "fox", console)  # type: ignore[arg-type]
    assert ended.status.phase == "Succeeded"
    assert text(console).splitlines() == [
        "Waiting for the operator to take the job up",
        "Waiting for a worker (1 ahead)",
        "Suspended; 'splatworks resume fox' lets it go on",
    ]
