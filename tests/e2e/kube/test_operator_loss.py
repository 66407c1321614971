"""Operators that are killed, and those that go on in their place."""

from __future__ import annotations

import pytest

from tests.e2e.kube.conftest import StartOperator
from tests.e2e.kube.jobs import LONG, Jobs
from tests.e2e.kube.operators import Addresses, Operator
from tests.e2e.kube.platform import STAGES, Platform
from tests.e2e.kube.waiting import until

pytestmark = [pytest.mark.kube, pytest.mark.timeout(240)]


def test_a_job_does_not_notice_that_the_operator_is_killed_in_each_of_its_stages(
    jobs: Jobs, platform: Platform, operator: Operator
):
    uid = jobs.create("job", cachePolicy="Never")["metadata"]["uid"]
    for name in STAGES:
        jobs.until_begun("job", name)
        operator.kill()
        jobs.release_lease()  # it would be free after 15 seconds; whoever held it is dead
        operator.start()
    job = jobs.until_phase("job", "Succeeded")
    assert [one["attempt"] for one in job["status"]["stages"]] == [1, 1, 1, 1]
    assert platform.started(uid) == {f"{uid}.{name}.1": 1 for name in STAGES}


def test_of_two_replicas_one_acts_and_the_other_takes_over_when_it_is_killed(
    jobs: Jobs, platform: Platform, shared_addresses: Addresses, start_operator: StartOperator
):
    first = start_operator(shared_addresses)
    first.wait_until_ready()
    second = start_operator(shared_addresses)
    until(lambda: "does not lead" in second.probe("/readyz")[1], "the second replica does not answer")
    uid = jobs.create("job", train={**LONG, "seed": 21})["metadata"]["uid"]
    jobs.until_running("job", "train")
    assert second.probe("/readyz")[0] == 503
    assert second.probe("/healthz")[0] == 200  # a kubelet must not end it for waiting
    first.kill()
    second.wait_until_ready()
    jobs.until_phase("job", "Succeeded")
    assert platform.started(uid) == {f"{uid}.{name}.1": 1 for name in STAGES}
    actors = [event["reportingInstance"] for event in jobs.events("job", "Succeeded")]
    assert len(set(actors)) == 2
    assert actors == sorted(actors, key=actors.index)  # each replica's in a row: they never took turns
