"""What a job's record makes of what a watch shows it while another operator writes as well."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from splatworks_operator.kube.api import ApiError, Resource
from splatworks_operator.kube.platform import Platform
from splatworks_operator.kube.record import Record, Superseded, changed
from splatworks_operator.resource import to_resource
from splatworks_operator.status import JobStatus, Phase

QUEUED = JobStatus(phase=Phase.QUEUED, queued=5)
RUNNING = JobStatus(phase=Phase.RUNNING, started=6)


class ApiServer:
    """One SplatJob under optimistic locking."""

    def __init__(self) -> None:
        metadata = {"namespace": "ns", "name": "fox", "uid": "u1", "resourceVersion": "1", "generation": 1}
        self.job: Resource = {"metadata": metadata, "spec": {}}

    def changed_by_somebody(self, status: JobStatus) -> Resource:
        self.job = {**self.job, "status": to_resource(status)}
        version = str(int(self.job["metadata"]["resourceVersion"]) + 1)
        self.job["metadata"] = {**self.job["metadata"], "resourceVersion": version}
        return copy.deepcopy(self.job)

    async def get(self, namespace: str, name: str) -> Resource | None:
        return copy.deepcopy(self.job)

    async def patch_status(
        self, namespace: str, name: str, version: str, changes: Mapping[str, Any]
    ) -> Resource:
        if version != self.job["metadata"]["resourceVersion"]:
            raise ApiError(409, "the object has been modified")
        return self.changed_by_somebody(QUEUED)


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def record(server: ApiServer, told: list[str]) -> Record:
    def post(resource: Resource, event: Any) -> None:
        told.append(event.reason)

    platform = SimpleNamespace(jobs=server, post=post, observers=())
    return Record(cast(Platform, platform), copy.deepcopy(server.job))


async def test_a_status_is_never_written_over_one_that_only_a_watch_has_shown(
    server: ApiServer, record: Record
):
    record.saw(server.changed_by_somebody(RUNNING))
    with pytest.raises(Superseded):
        await record.write(QUEUED)


async def test_a_status_that_a_watch_has_shown_is_taken_over_before_anything_is_decided(
    server: ApiServer, record: Record
):
    record.saw(server.changed_by_somebody(RUNNING))
    assert await record.refresh()
    assert record.status == RUNNING


async def test_the_echo_of_ones_own_write_is_no_news(server: ApiServer, record: Record):
    await record.write(QUEUED)
    assert not record.saw(copy.deepcopy(server.job))
    assert not await record.refresh()


async def test_an_edited_spec_needs_no_second_look(server: ApiServer, record: Record):
    edited = copy.deepcopy(server.job)
    edited["metadata"] |= {"resourceVersion": "9", "generation": 2}
    assert record.saw(edited)
    assert not await record.refresh()


async def test_a_write_whose_answer_was_lost_is_told_of_all_the_same(
    server: ApiServer, record: Record, told: list[str]
):
    server.changed_by_somebody(QUEUED)  # it was this record's own, in truth
    with pytest.raises(Superseded):
        await record.write(QUEUED)
    await record.catch_up()
    assert told == ["Queued"]


def test_nothing_is_patched_where_nothing_changed():
    status = to_resource(RUNNING)
    assert changed(status, copy.deepcopy(status)) == {}
