"""What breaks around the operator, and the operator itself: nothing runs twice, nothing is lost."""

from __future__ import annotations

import random
import time

import pytest
from aiohttp import web

from splatworks_operator.status import StageName
from tests.fakes.kube_api import LEASES, SPLATJOBS
from tests.fakes.worker import FOREVER, Plan
from tests.integration.operator.conftest import NAMESPACE, World, until

_QUICK = {"backoff": {"initialSeconds": 0}}
_JOBS_BETWEEN_FAULTS = 4


def test_work_lost_with_its_worker_is_done_again_by_another_process(world: World):
    plans = iter([FOREVER])
    trainer = world.add_worker(StageName.TRAIN, lambda request: next(plans, Plan()))
    world.start_operator()
    world.submit(failurePolicy=_QUICK)
    until(lambda: trainer.running == 1)
    trainer.kill()
    trainer.start()
    world.until_phase("Succeeded")
    train = world.stage(StageName.TRAIN)
    assert (train["attempt"], train["countedAttempts"], train["uncountedAttempts"]) == (2, 0, 1)
    assert world.ledger.repeated == []


def test_what_a_lost_worker_had_finished_is_not_done_again(world: World):
    trainer = world.add_worker(StageName.TRAIN, lambda request: Plan(seconds=1.5))
    operator = world.start_operator()
    job = world.submit()
    until(lambda: trainer.running == 1)
    operator.stop()
    world.operators.remove(operator)
    until(lambda: trainer.running == 0)
    trainer.kill()
    trainer.start()
    world.start_operator()
    world.until_phase("Succeeded")
    assert world.stage(StageName.TRAIN)["attempt"] == 1
    assert world.ledger.executions[f"{job['metadata']['uid']}.train.1"] == 1
    assert world.status()["result"]["psnr"] == "27.5"


def test_a_finished_operation_that_its_worker_has_forgotten_counts_by_its_manifest(world: World):
    trainer = world.add_worker(StageName.TRAIN, lambda request: Plan(seconds=1.5))
    operator = world.start_operator()
    world.submit()
    until(lambda: trainer.running == 1)
    operator.stop()
    world.operators.remove(operator)
    until(lambda: trainer.running == 0)
    trainer.forget_operations()
    world.start_operator()
    world.until_phase("Succeeded")
    assert world.stage(StageName.TRAIN)["attempt"] == 1
    assert world.ledger.repeated == []


def test_a_busy_worker_leaves_the_job_waiting_and_costs_no_attempt(world: World):
    sfm = world.add_worker(StageName.SFM, lambda request: Plan(), capacity=2)
    world.start_operator()
    sfm.capacity = 0  # somebody else's work; the operator has not heard of it yet
    world.submit()
    until(lambda: world.stage(StageName.SFM).get("reason") == "NoFreeSlot")
    sfm.capacity = 2
    world.until_phase("Succeeded", seconds=30)
    stage = world.stage(StageName.SFM)
    assert (stage["countedAttempts"], stage["uncountedAttempts"]) == (0, 0)


def test_a_draining_worker_is_given_nothing_new(world: World):
    leaving, staying = (world.add_worker(StageName.SFM) for _ in range(2))
    leaving.draining = True
    world.start_operator()
    for number in range(4):
        world.submit(f"job-{number}")
    for number in range(4):
        world.until_phase("Succeeded", f"job-{number}")
        assert world.stage(StageName.SFM, f"job-{number}")["worker"]["name"] == staying.address


def test_an_edit_of_somebody_else_in_between_is_not_overwritten(world: World):
    world.add_worker(StageName.SFM, lambda request: Plan(seconds=0.5))
    world.start_operator()
    world.submit()
    world.until_phase("Running")
    changes = {"metadata": {"labels": {"team": "blue"}}, "spec": {"priority": 7}}
    world.kube.patch(SPLATJOBS, NAMESPACE, "fox", changes)
    world.until_phase("Succeeded")
    job = world.kube.get(SPLATJOBS, NAMESPACE, "fox")
    assert job is not None
    assert (job["metadata"]["labels"], job["spec"]["priority"]) == ({"team": "blue"}, 7)
    assert job["status"]["observedGeneration"] == 2


def test_a_restart_of_the_api_server_is_survived(world: World):
    trainer = world.add_worker(StageName.TRAIN, lambda request: Plan(seconds=2.0))
    world.start_operator()
    world.submit()
    until(lambda: trainer.running == 1)
    port = world.kube.port
    world.kube.stop()
    until(lambda: trainer.running == 0)
    world.kube.start(port)
    world.until_phase("Succeeded", seconds=60)
    assert world.ledger.repeated == []


def test_an_operator_that_starts_before_jobs_can_be_listed_waits_for_them(world: World):
    refused: list[str] = []

    def refuse(request: web.Request) -> int | None:
        if not request.path.endswith(f"/{SPLATJOBS[1]}") or len(refused) >= 2:
            return None
        refused.append(request.path)
        return 429  # so a real one does for seconds after the definition was made

    world.kube.refuse = refuse
    world.submit()
    world.start_operator()
    world.until_phase("Succeeded", seconds=60)


def test_a_watch_whose_history_is_compacted_begins_anew(world: World):
    world.start_operator()
    world.submit("before")
    world.until_phase("Succeeded", "before")
    world.kube.compact()
    world.submit("after")
    world.until_phase("Succeeded", "after")


@pytest.mark.timeout(240)
def test_a_restart_with_500_live_jobs_writes_nothing_but_new_places_in_the_queue(world: World):
    world.kube.validating = False
    world.add_worker(StageName.SFM, lambda request: FOREVER, capacity=300)
    operator = world.start_operator(pollSeconds=30)
    for number in range(500):
        world.submit(f"job-{number}")
    running = {"Running": 300, "Queued": 200}
    until(lambda: _phases(world) == running, 120, lambda: f"{running}; there are {_phases(world)}")
    operator.stop()
    world.operators.remove(operator)
    executed, written = len(world.ledger.executions), len(world.kube.writes)
    operator = world.start_operator(pollSeconds=30)
    until(lambda: _looks(operator.registry) >= 500, 60, lambda: "a look at every job")
    changes = [set(write.body["status"]) for write in world.kube.writes[written:]]
    assert [changed for changed in changes if not changed <= {"queuePosition", "message"}] == []
    assert len(changes) <= 200
    assert len(world.ledger.executions) == executed


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_job_is_lost_and_nothing_runs_twice_whatever_is_killed(world: World, seed: int):
    chance = random.Random(seed)
    world.kube.validating = False
    jobs = 100
    workers = [
        world.add_worker(stage, lambda request: Plan(seconds=chance.uniform(0.05, 0.5)), capacity=6)
        for stage in StageName
        for _ in range(2)
    ]
    operator = world.operator_process()
    operator.start()
    for number in range(jobs):
        world.submit(f"job-{number}", failurePolicy=_QUICK)
        if number % _JOBS_BETWEEN_FAULTS:
            continue
        time.sleep(chance.uniform(0.2, 0.8))
        if number % (6 * _JOBS_BETWEEN_FAULTS) == 0:
            operator.kill()
            if world.kube.list(LEASES):
                world.kube.delete(LEASES, "splatworks", "splatworks-operator")  # not to wait for its end
            operator.start()
        else:
            worker = chance.choice(workers)
            worker.kill()
            time.sleep(chance.uniform(0.0, 0.3))
            worker.start()
    until(lambda: _phases(world) == {"Succeeded": jobs}, 200, lambda: f"{jobs} successes; {_phases(world)}")
    assert world.ledger.repeated == []


def _phases(world: World) -> dict[str, int]:
    phases: dict[str, int] = {}
    for job in world.kube.list(SPLATJOBS):
        phase = str((job.get("status") or {}).get("phase"))
        phases[phase] = phases.get(phase, 0) + 1
    return phases


def _looks(registry: object) -> float:
    return registry.get_sample_value("splatworks_reconcile_duration_seconds_count") or 0.0  # type: ignore[attr-defined]
