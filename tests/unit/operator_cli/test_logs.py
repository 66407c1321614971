from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from splatworks_operator.cluster.errors import NotFound
from splatworks_operator.cluster.logs import Selection, WorkerLogs
from splatworks_operator.cluster.refusals import Asked
from splatworks_operator.cluster.splatjob import SplatJob
from splatworks_operator.status import StageName

POD = {
    "metadata": {"name": "splatworks-sfm-0", "namespace": "splatworks"},
    "spec": {"containers": [{"name": "sfm"}]},
}


def line(request: str, message: str) -> str:
    return json.dumps(
        {"time": "2026-11-20T12:34:56.789+00:00", "level": "info", "message": message, "request_id": request}
    )


LINES = [
    line("uid.sfm.1", "started"),
    line("other.sfm.1", "somebody else's"),
    "not json",
    line("uid.train.1", "of another stage"),
    line("uid.sfm.1", "ended"),
]


def job(*, worker: bool = True, state: str = "Running") -> SplatJob:
    stage: dict[str, Any] = {"name": "sfm", "state": state, "attempt": 1}
    if worker:
        stage["worker"] = {"name": "splatworks-sfm-0"}
    metadata = {"name": "fox", "namespace": "foxes", "uid": "uid"}
    return SplatJob({"metadata": metadata, "spec": {}, "status": {"phase": "Running", "stages": [stage]}})


class Pods:
    """A connection to a cluster with one pod in the namespace splatworks, or with none."""

    def __init__(self, *, present: bool = True, restarts: int = 0) -> None:
        statuses = [{"name": "sfm", "restartCount": restarts}]
        self._pod = {**POD, "status": {"containerStatuses": statuses}} if present else None
        self.read: list[dict[str, str]] = []

    async def request(self, _: str, asked: Asked, **__: object) -> dict[str, Any]:
        pod = self._pod if asked.namespace == "splatworks" else None
        if asked.verb == "list":
            return {"items": [pod] if pod else []}
        if pod is None:
            raise NotFound("no such pod")
        return pod

    async def lines(self, _: Asked, *, parameters: dict[str, str]) -> AsyncIterator[str]:
        self.read.append(parameters)
        for text in LINES:
            yield text


async def shown(pods: Pods, selection: Selection, *namespaces: str) -> tuple[list[str], list[str], bool]:
    out: list[str] = []
    complaints: list[str] = []
    logs = WorkerLogs(pods, namespaces or ("splatworks",))  # type: ignore[arg-type]
    complete = await logs.show(selection, out.append, complaints.append)
    return out, complaints, complete


async def test_only_the_jobs_own_lines_are_shown():
    out, _, complete = await shown(Pods(), Selection(job(), StageName.SFM))
    assert out == ["12:34:56 sfm      started", "12:34:56 sfm      ended"]
    assert complete


async def test_raw_lines_are_as_the_worker_wrote_them():
    out, _, _ = await shown(Pods(), Selection(job(), StageName.SFM, raw=True))
    assert out == [LINES[0], LINES[4]]


async def test_a_pod_is_looked_for_in_every_namespace_where_it_may_be():
    out, _, complete = await shown(Pods(), Selection(job()), "foxes", "splatworks")
    assert out
    assert complete


async def test_where_the_worker_is_not_known_all_pods_of_the_stage_are_looked_through():
    out, _, _ = await shown(Pods(), Selection(job(worker=False, state="Failed")))
    assert out


async def test_what_a_container_said_before_it_was_restarted_comes_first():
    pods = Pods(restarts=1)
    await shown(pods, Selection(job()))
    assert [parameters["previous"] for parameters in pods.read] == ["true", "false"]


async def test_a_pod_that_is_gone_is_said_to_be():
    out, complaints, complete = await shown(Pods(present=False), Selection(job()))
    assert (out, complete) == ([], False)
    assert "The pod splatworks-sfm-0 that ran sfm is gone" in complaints[0]


class Jobs:
    """A job that runs, and then has ended."""

    async def follow(self, _: str) -> AsyncIterator[SplatJob]:
        yield job()
        ended = job()
        yield SplatJob({**ended.resource, "status": {**ended.resource["status"], "phase": "Failed"}})


async def test_following_ends_with_the_job_and_shows_every_line_once():
    out: list[str] = []
    logs = WorkerLogs(Pods(), ["splatworks"])  # type: ignore[arg-type]
    await logs.follow(Jobs(), Selection(job()), out.append, out.append)  # type: ignore[arg-type]
    assert out == [
        "12:34:56 sfm      started",
        "12:34:56 train    of another stage",
        "12:34:56 sfm      ended",
    ]
