"""Following a job over a connection that breaks: an API server made of answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from splatworks_operator.cluster import jobs as jobs_module
from splatworks_operator.cluster.errors import ClusterUnreachable, NotFound
from splatworks_operator.cluster.jobs import JobDeleted, SplatJobs


def job(version: int, *, uid: str = "1") -> dict[str, Any]:
    metadata = {"name": "fox", "namespace": "foxes", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {}}


def event(kind: str, version: int) -> str:
    return json.dumps({"type": kind, "object": job(version)})


class Answers:
    """A connection that gives these answers, one after another; an exception is raised."""

    namespace = "foxes"

    def __init__(self, gets: list[Any], watches: list[list[Any]]) -> None:
        self._gets = iter(gets)
        self._watches = iter(watches)
        self.watched_from: list[str] = []

    async def request(self, *_: object, **__: object) -> Any:
        answer = next(self._gets)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def lines(self, *_: object, parameters: dict[str, str], **__: object) -> AsyncIterator[str]:
        self.watched_from.append(parameters["resourceVersion"])
        for line in next(self._watches):
            if isinstance(line, Exception):
                raise line
            yield line


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "PAUSE_SECONDS", 0.0)


async def versions(answers: Answers, until: int) -> list[str]:
    """The versions that a follower sees, up to one."""
    seen: list[str] = []
    async with aclosing(SplatJobs(answers).follow("fox")) as states:  # type: ignore[arg-type]
        async for state in states:
            seen.append(state.version)
            if state.version == str(until):
                return seen
    raise AssertionError("a follower goes on until it is left")


async def test_every_change_is_seen():
    answers = Answers([job(1)], [[event("MODIFIED", 2), event("MODIFIED", 3)]])
    assert await versions(answers, 3) == ["1", "2", "3"]


async def test_a_watch_that_breaks_is_taken_up_where_it_was():
    answers = Answers([job(1)], [[event("MODIFIED", 2), ClusterUnreachable("gone")], [event("MODIFIED", 3)]])
    assert (await versions(answers, 3))[-1] == "3"
    assert answers.watched_from == ["1", "2"]


async def test_what_a_watch_has_missed_is_read_after_it():
    expired = json.dumps({"type": "ERROR", "object": {"code": 410}})
    answers = Answers([job(1), job(7)], [[expired]])
    assert await versions(answers, 7) == ["1", "7"]


async def test_a_job_that_is_deleted_is_not_waited_for():
    with pytest.raises(JobDeleted):
        await versions(Answers([job(1)], [[event("DELETED", 2)]]), 9)


async def test_a_job_that_was_deleted_unseen_is_not_waited_for():
    with pytest.raises(JobDeleted):
        await versions(Answers([job(1), NotFound("gone")], [[]]), 9)


async def test_another_job_of_the_same_name_is_not_mistaken_for_it():
    with pytest.raises(JobDeleted, match="another has its name"):
        await versions(Answers([job(1), job(5, uid="2")], [[]]), 9)


async def test_a_cluster_that_is_gone_for_good_is_told(monkeypatch):
    monkeypatch.setattr(jobs_module, "PATIENCE_SECONDS", -1.0)
    with pytest.raises(ClusterUnreachable):
        await versions(Answers([job(1)], [[ClusterUnreachable("gone")]]), 9)


async def test_a_job_that_is_not_there_is_told_at_once():
    with pytest.raises(NotFound):
        await versions(Answers([NotFound("none")], []), 9)
