from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from splatworks_operator.kube.echoes import WithoutEchoes
from splatworks_operator.kube.handlers import FINALIZER, is_echo
from splatworks_operator.kube.jobs import JobTable
from splatworks_operator.kube.metrics import OperatorMetrics


def _event(type: str = "MODIFIED", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    known = {"uid": "u1", "resourceVersion": "7", "finalizers": [FINALIZER], **metadata}
    return {"type": type, "object": {"metadata": known, "status": {"phase": phase}}}


class _Jobs:
    """A table whose only driver knows version 7."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def knows(self, resource: dict[str, Any]) -> bool:
        return bool(resource["metadata"]["resourceVersion"] == "7")

    def saw(self, resource: dict[str, Any]) -> None:
        self.noted.append(resource["metadata"]["resourceVersion"])


def _is_echo(jobs: _Jobs, event: dict[str, Any]) -> bool:
    return is_echo(event, cast(JobTable, jobs), OperatorMetrics(CollectorRegistry()))


def test_a_version_that_the_driver_knows_is_an_echo_and_counts_as_shown():
    jobs = _Jobs()
    assert _is_echo(jobs, _event())
    assert jobs.noted == ["7"]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(_event(resourceVersion="8"), id="unknown"),
        pytest.param(_event("ADDED"), id="new"),
        pytest.param(_event("DELETED"), id="gone"),
        pytest.param(_event(phase="Succeeded"), id="succeeded"),
        pytest.param(_event(phase="Failed"), id="failed"),
        pytest.param(_event(deletionTimestamp="2026-01-01T00:00:00Z"), id="being deleted"),
        pytest.param(_event(finalizers=[]), id="unguarded"),
        pytest.param({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}}, id="bookmark"),
        pytest.param({"type": "ERROR", "object": {"code": 410, "metadata": {}}}, id="error"),
    ],
)
def test_kopf_sees_all_that_it_may_have_to_act_upon(event: dict[str, Any]):
    jobs = _Jobs()
    assert not _is_echo(jobs, event)
    assert jobs.noted == []


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """Answers every request with three events, in pieces that end where no line does."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        whole = b"".join(json.dumps({"number": number}).encode() + b"\n" for number in range(3))
        for piece in (whole[:5], whole[5:20], whole[20:]):
            await response.write(piece)
        return response

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize(("query", "left"), [("?watch=true", [0, 2]), ("", [0, 1, 2])])
async def test_only_a_watch_is_without_its_echoes(server: str, query: str, left: list[int]):
    middleware = WithoutEchoes(lambda event: event["number"] == 1)
    async with (
        aiohttp.ClientSession(middlewares=[middleware]) as session,
        session.get(server + query) as response,
    ):
        got = b"".join([chunk async for chunk in response.content.iter_chunked(1024)])
    assert [json.loads(line)["number"] for line in got.splitlines()] == left


def test_a_table_knows_what_its_drivers_know():
    table = JobTable(cast(Any, SimpleNamespace(slots=None)))
    metadata = {"uid": "u1", "namespace": "team", "name": "fox", "resourceVersion": "7"}
    assert not table.knows({"metadata": metadata})
    table.of({"metadata": metadata, "spec": {}})
    assert not table.knows({"metadata": metadata})  # kopf may have to act upon what it was told first
