"""Readiness tells the truth, and metrics stay few."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import pytest
from prometheus_client import generate_latest

from splatworks_common import reasons
from splatworks_operator.kube import health
from splatworks_operator.kube.health import StoreProbe, WatchAudit
from splatworks_operator.status import StageName
from tests.fakes.kube_api import SPLATJOBS
from tests.fakes.worker import Plan
from tests.integration.operator.conftest import NAMESPACE, World, until


@pytest.mark.timeout(180)
def test_an_operator_is_ready_only_while_the_api_answers(world: World):
    world.kube.refuse = lambda request: 503
    operator = world.operator_process()
    operator.start()
    until(lambda: operator.probe("/readyz")[0] == 503, 60)
    assert "lease: this replica does not lead" in operator.probe("/readyz")[1]
    assert operator.probe("/healthz")[0] == 200
    world.kube.refuse = None
    until(lambda: operator.probe("/readyz") == (200, "ok\n"), 60, lambda: operator.probe("/readyz")[1])
    assert "splatworks_operator_ready 1.0" in operator.scrape()
    world.kube.stop()
    until(lambda: operator.probe("/readyz")[0] != 200, 60)
    assert operator.wait(60) == 3  # no Lease without an API server; the kubelet starts it again
    world.kube.start(world.kube.port)


async def test_an_operator_without_a_store_is_not_ready(world: World):
    probe = StoreProbe(world.store, seconds=0.05)
    assert probe.complaint() == "the object store has not been asked yet"
    asking = asyncio.create_task(probe.run())
    try:
        await _until(lambda: probe.complaint() == "")
        world.store.go_down()
        await _until(lambda: "does not answer" in probe.complaint())
        world.store.come_up()
        await _until(lambda: probe.complaint() == "")
    finally:
        asking.cancel()


class _Listed:
    """What the API server lists."""

    def __init__(self, listed: Mapping[str, str]) -> None:
        self.listed = dict(listed)
        self.times = 0
        self.on_list: Callable[[], None] = lambda: None

    async def versions(self, namespaces: object) -> dict[str, str]:
        self.times += 1
        self.on_list()
        return dict(self.listed)


async def test_a_watch_that_shows_a_change_late_is_not_deaf_but_one_that_never_does_is():
    listed, seen = _Listed({"a": "1"}), {"a": "1"}
    audit = WatchAudit(listed, seen.get, (), seconds=0.05)  # type: ignore[arg-type]
    auditing = asyncio.create_task(audit.run())
    try:
        await asyncio.sleep(0.3)
        assert audit.complaint() == ""
        listed.listed["a"] = "2"
        await _until(lambda: "does not show" in audit.complaint())
        seen["a"] = "2"
        await _until(lambda: audit.complaint() == "")
    finally:
        auditing.cancel()


async def test_a_watch_that_shows_anything_at_all_is_late_rather_than_deaf():
    listed, seen = _Listed({"a": "2", "b": "1"}), {"a": "1", "b": "1"}
    audit = WatchAudit(listed, seen.get, (), seconds=0.02)  # type: ignore[arg-type]
    auditing = asyncio.create_task(audit.run())
    listed.on_list = lambda: seen.update(b=str(listed.times))
    try:
        await _until(lambda: listed.times >= 6)
        assert audit.complaint() == ""
        listed.on_list = lambda: None
        await _until(lambda: "does not show" in audit.complaint())
    finally:
        auditing.cancel()


async def test_a_watch_that_a_starved_process_had_no_time_to_read_is_not_deaf(
    monkeypatch: pytest.MonkeyPatch,
):
    listed, seen = _Listed({"a": "2"}), {"a": "1"}
    audit = WatchAudit(listed, seen.get, (), seconds=30.0)  # type: ignore[arg-type]
    now, pauses = 0.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        if listed.times == 2:
            raise asyncio.CancelledError
        pauses.append(seconds)
        now += 150.0 if len(pauses) == 2 else seconds  # the process gets no time for two minutes
        if len(pauses) == 3:
            seen["a"] = "2"

    monkeypatch.setattr(health, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now))
    with pytest.raises(asyncio.CancelledError):
        await audit.run()
    assert pauses == [30.0, 30.0, 120.0]
    assert audit.complaint() == ""


def test_a_deaf_watch_is_noticed_on_a_real_connection(world: World):
    operator = world.start_operator()
    assert operator.vitals.watch is not None
    world.submit("before")
    world.until_phase("Succeeded", "before")
    world.kube.deaf.set()
    world.kube.patch(SPLATJOBS, NAMESPACE, "before", {"metadata": {"labels": {"a": "b"}}})
    until(lambda: operator.vitals.watch and operator.vitals.watch.complaint(), 60)
    world.kube.deaf.clear()
    world.kube.patch(SPLATJOBS, NAMESPACE, "before", {"metadata": {"labels": {"a": "c"}}})
    until(lambda: operator.vitals.watch and not operator.vitals.watch.complaint(), 60)


def test_metrics_tell_what_happened(world: World):
    failures = iter([Plan(error=reasons.OutOfMemory("too big"))])
    world.add_worker(StageName.TRAIN, lambda request: next(failures, Plan()), capacity=3)
    operator = world.start_operator()
    world.submit(failurePolicy={"backoff": {"initialSeconds": 0}})
    world.until_phase("Succeeded")

    def value(name: str, **labels: str) -> float | None:
        return operator.registry.get_sample_value(name, labels)

    until(lambda: value("splatworks_jobs_finished_total", phase="Succeeded", reason="") == 1)
    assert value("splatworks_jobs", phase="Succeeded") == 1
    assert value("splatworks_stage_attempts_total", stage="train") == 2
    assert value("splatworks_stage_failures_total", stage="train", reason="OutOfMemory") == 1
    assert value("splatworks_worker_slots", stage="train") == 3
    assert value("splatworks_worker_slots_used", stage="train") == 0
    assert value("splatworks_workers", stage="train") == 1
    assert value("splatworks_job_duration_seconds_count") == 1


def test_a_job_in_progress_has_series_of_its_own_until_it_ends(world: World):
    plans = {"seconds": 1e9}
    world.add_worker(StageName.TRAIN, lambda request: Plan(seconds=plans["seconds"], percent=30.0))
    operator = world.start_operator()
    world.submit()
    labels = {"namespace": NAMESPACE, "job": "fox", "stage": "train"}
    until(lambda: operator.registry.get_sample_value("splatworks_job_progress_percent", labels) == 30)
    figure = {"namespace": NAMESPACE, "job": "fox", "figure": "registered_images"}
    assert operator.registry.get_sample_value("splatworks_job_figure", figure) == 12
    world.change(terminate=True)
    world.until_phase("Failed")
    assert 'job="fox"' not in generate_latest(operator.registry).decode()


@pytest.mark.timeout(180)
def test_the_number_of_series_does_not_grow_with_the_number_of_jobs(world: World):
    operator = world.start_operator()
    world.submit("first")
    world.until_phase("Succeeded", "first")
    before = _series(generate_latest(operator.registry).decode())
    for number in range(30):
        world.submit(f"job-{number}", namespace=f"team-{number}")
    until(
        lambda: all(
            (job.get("status") or {}).get("phase") == "Succeeded" for job in world.kube.list(SPLATJOBS)
        ),
        90,
    )
    until(lambda: _series(generate_latest(operator.registry).decode()) == before)


def _series(text: str) -> set[str]:
    return {re.sub(r" \S+$", "", line) for line in text.splitlines() if not line.startswith("#")}


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition)
