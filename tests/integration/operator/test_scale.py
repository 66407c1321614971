"""A thousand jobs at once."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from splatworks_operator.status import StageName
from tests.fakes.kube_api import EVENTS, SPLATJOBS
from tests.integration.operator.conftest import World, until

_JOBS = 1000
_MOST_WRITES = 12
_MOST_MEMORY_MB = 250


@pytest.mark.timeout(300)
def test_a_thousand_jobs_succeed_with_few_writes_and_little_memory(world: World):
    world.kube.validating = False
    for stage in StageName:
        world.add_worker(stage, capacity=_JOBS)
    operator = world.operator_process()
    operator.start()
    until(lambda: operator.probe("/readyz")[0] == 200, 60)
    began, used = time.monotonic(), operator.cpu_seconds()
    for number in range(_JOBS):
        world.submit(f"job-{number}")
    until(lambda: _succeeded(world) == _JOBS, 200, lambda: f"{_JOBS} jobs; there are {_succeeded(world)}")
    seconds = time.monotonic() - began
    print(
        f"\n{_JOBS} jobs in {seconds:.1f} s; the operator used {operator.cpu_seconds() - used:.1f} s of CPU"
    )
    until(lambda: len(world.kube.list(EVENTS)) == 5 * _JOBS, 100, lambda: "all events")
    writes = Counter(write.name for write in world.kube.writes if write.resource == SPLATJOBS)
    events = Counter(event["involvedObject"]["name"] for event in world.kube.list(EVENTS))
    most = max(writes[name] + events[name] for name in writes)
    print(f"at most {most} writes a job; {operator.memory_mb():.0f} MB")
    assert most <= _MOST_WRITES
    assert operator.memory_mb() <= _MOST_MEMORY_MB
    assert world.ledger.repeated == []


def _succeeded(world: World) -> int:
    return sum((job.get("status") or {}).get("phase") == "Succeeded" for job in world.kube.list(SPLATJOBS))
