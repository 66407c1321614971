"""Two replicas and one Lease: never both act, and one of them always does soon."""

from __future__ import annotations

import pytest

from splatworks_operator.status import StageName
from tests.fakes.kube_api import LEASES, SPLATJOBS
from tests.fakes.operator import OperatorProcess
from tests.fakes.worker import Plan
from tests.integration.operator.conftest import World, until

_LEASE_LOST = 3


def _ready(operator: OperatorProcess) -> bool:
    return operator.probe("/readyz")[0] == 200


def _holder(world: World) -> str:
    return str(world.kube.list(LEASES)[0]["spec"]["holderIdentity"])


@pytest.fixture
def replicas(world: World) -> tuple[OperatorProcess, OperatorProcess]:
    """A leader and one that waits."""
    leader, waiting = world.operator_process(), world.operator_process()
    leader.start()
    until(lambda: _ready(leader), 60)
    waiting.start()
    until(lambda: waiting.probe("/healthz")[0] == 200, 60)
    return leader, waiting


def test_the_replica_that_waits_is_not_ready_and_says_who_leads(
    world: World, replicas: tuple[OperatorProcess, OperatorProcess]
):
    _, waiting = replicas
    until(lambda: _holder(world) in waiting.probe("/readyz")[1])
    assert waiting.probe("/readyz")[0] == 503
    assert "splatworks_operator_leader 0.0" in waiting.scrape()


def test_a_leader_that_is_told_to_stop_hands_over_at_once(
    world: World, replicas: tuple[OperatorProcess, OperatorProcess]
):
    leader, waiting = replicas
    world.add_worker(StageName.SFM)
    assert leader.terminate() == 0
    until(lambda: _ready(waiting), 30)
    world.submit()
    world.until_phase("Succeeded", seconds=30)


@pytest.mark.timeout(180)
def test_a_leader_that_hangs_ends_when_it_wakes_and_has_done_no_harm(
    world: World, replicas: tuple[OperatorProcess, OperatorProcess]
):
    leader, waiting = replicas
    for workers in world.workers.values():
        workers[0].behave = lambda request: Plan(seconds=1.0)
    world.submit()
    until(lambda: world.stage(StageName.SFM).get("state") == "Running")
    leader.pause()
    until(lambda: _ready(waiting), 60)
    world.until_phase("Succeeded", seconds=60)
    version = world.kube.list(SPLATJOBS)[0]["metadata"]["resourceVersion"]
    leader.go_on()
    assert leader.wait(30) == _LEASE_LOST
    assert world.kube.list(SPLATJOBS)[0]["metadata"]["resourceVersion"] == version
    assert world.ledger.repeated == []


@pytest.mark.timeout(180)
def test_two_operators_that_do_not_know_of_each_other_run_no_attempt_twice(world: World):
    for stage in [*StageName, *StageName]:
        world.add_worker(stage, lambda request: Plan(seconds=0.5))
    operators = [world.operator_process(lease={"name": f"operator-{number}"}) for number in range(2)]
    for operator in operators:
        operator.start()
    until(lambda: all(_ready(operator) for operator in operators), 60)
    names = [f"job-{number}" for number in range(20)]
    for name in names:
        world.submit(name)
    until(lambda: all(world.status(name).get("phase") == "Succeeded" for name in names), 90)
    assert world.ledger.repeated == []
