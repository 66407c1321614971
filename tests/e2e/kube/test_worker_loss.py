"""Workers that are killed in the middle of a training, which goes on from where it was."""

from __future__ import annotations

import pytest

from tests.e2e.kube.conftest import StartOperator
from tests.e2e.kube.jobs import LONG, Jobs, Resource, stage
from tests.e2e.kube.operators import Addresses
from tests.e2e.kube.platform import Platform

pytestmark = [pytest.mark.kube, pytest.mark.timeout(240)]


def assert_went_on(platform: Platform, job: Resource) -> None:
    """One more attempt, which was not the job's fault and began where the one before had got to."""
    train = stage(job, "train")
    assert (train["attempt"], train["uncountedAttempts"], train["countedAttempts"]) == (2, 1, 0)
    log = platform.json_lines(f"{job['status']['result']['uri']}/gaussian/training.log")
    assert [line["event"] for line in log].count("resume") == 1
    assert next(line["step"] for line in log if line["event"] == "resume") > 0


def test_training_goes_on_on_another_worker_when_its_own_is_killed(
    jobs: Jobs, platform: Platform, shared_addresses: Addresses, start_operator: StartOperator
):
    pair = [platform.start("trainer") for _ in range(2)]
    for worker in pair:
        worker.wait_until_ready()
    operator = start_operator({**shared_addresses, "trainer": [worker.address for worker in pair]})
    uid = jobs.create("long", train={**LONG, "seed": 1})["metadata"]["uid"]
    running = stage(jobs.until_running("long", "train"), "train")["worker"]["address"]
    (victim,), (other,) = ([w for w in pair if (w.address == running) is meant] for meant in (True, False))
    platform.wait_for_checkpoint(victim, uid)
    victim.kill()
    operator.restart(
        {**shared_addresses, "trainer": [other.address]}
    )  # as its EndpointSlice loses a dead pod
    job = jobs.until_phase("long", "Succeeded")
    assert_went_on(platform, job)
    assert victim.started() == {f"{uid}.train.1": 1}
    assert other.started() == {f"{uid}.train.2": 1}


def test_a_worker_that_was_killed_and_started_again_runs_the_next_attempt_and_not_the_last_one(
    jobs: Jobs, platform: Platform, shared_addresses: Addresses, start_operator: StartOperator
):
    worker = platform.start("trainer")
    worker.wait_until_ready()
    start_operator({**shared_addresses, "trainer": [worker.address]})
    uid = jobs.create("long", train={**LONG, "seed": 2})["metadata"]["uid"]
    jobs.until_running("long", "train")
    platform.wait_for_checkpoint(worker, uid)
    worker.kill()
    again = platform.start("trainer", worker.address)  # as a kubelet does, in the same pod
    job = jobs.until_phase("long", "Succeeded")
    assert_went_on(platform, job)
    assert worker.started() == {f"{uid}.train.1": 1}
    assert again.started() == {f"{uid}.train.2": 1}
