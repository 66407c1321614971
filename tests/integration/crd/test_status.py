"""What the operator writes as status is what the API server keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from splatworks_operator.resource import from_resource, to_resource
from splatworks_operator.status import JobStatus
from tests.integration.crd.splatjobs import SplatJobs
from tests.kube.cluster import ApiError, KubeCluster
from tests.statuses import statuses

pytestmark = pytest.mark.kube


@pytest.fixture(scope="module")
def job(splatjob_cluster: KubeCluster) -> Iterator[SplatJobs]:
    """A job named "status", which is written over and over."""
    jobs = SplatJobs(splatjob_cluster, "default")
    jobs.create(name="status")
    yield jobs
    jobs.cluster.request("DELETE", f"{jobs.path}/status")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(status=statuses)
def test_any_status_is_kept_as_it_was_written(job: SplatJobs, status: JobStatus) -> None:
    written = to_resource(status)

    stored = job.write_status("status", written)

    assert stored == written
    assert from_resource(stored) == from_resource(written)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"phase": "Done"}, "status.phase: Unsupported value"),
        ({"currentStage": "dance"}, "status.currentStage: Unsupported value"),
        ({"progressPercent": 101}, "less than or equal to 100"),
        ({"message": "m" * 1025}, "may not be more than 1024"),
        ({"stages": [{"name": "sfm", "state": "Running"}] * 2}, "Duplicate value"),
        ({"stages": [{"name": "sfm"}]}, "state: Required value"),
        ({"stages": [{"name": "sfm", "state": "Failed", "reason": "BadLuck"}]}, "reason: Unsupported value"),
        ({"conditions": [{"type": "Failed"}]}, "Required value"),
        ({"startTime": "yesterday"}, "must be of type date-time"),
    ],
)
def test_a_status_that_means_nothing_is_refused(job: SplatJobs, status: dict[str, Any], why: str) -> None:
    with pytest.raises(ApiError, match=why):
        job.write_status("status", status)


def test_a_person_who_changes_the_job_leaves_its_status_alone(splatjobs: SplatJobs) -> None:
    splatjobs.create(name="fox")
    splatjobs.write_status("fox", {"phase": "Running"})

    changed = splatjobs.change("fox", {"priority": 5}, status={"phase": "Succeeded"})

    assert changed["status"] == {"phase": "Running"}


def test_the_generation_counts_changes_of_the_spec_and_not_of_the_status(splatjobs: SplatJobs) -> None:
    splatjobs.create(name="fox")
    splatjobs.write_status("fox", {"phase": "Running"})

    assert splatjobs.change("fox", {"priority": 5})["metadata"]["generation"] == 2


def test_conditions_of_two_writers_stand_side_by_side(splatjobs: SplatJobs) -> None:
    splatjobs.create(name="fox")
    splatjobs.apply_status("fox", "operator", conditions=[condition("Accepted"), condition("Admitted")])
    splatjobs.apply_status("fox", "quota", conditions=[condition("Suspended")])

    stored = splatjobs.apply_status("fox", "operator", conditions=[condition("Accepted", "False")])

    assert [(kept["type"], kept["status"]) for kept in stored["conditions"]] == [
        ("Accepted", "False"),
        ("Suspended", "True"),
    ]


def test_two_writers_of_one_condition_are_told_of_each_other(splatjobs: SplatJobs) -> None:
    splatjobs.create(name="fox")
    splatjobs.apply_status("fox", "operator", conditions=[condition("Accepted")])

    with pytest.raises(ApiError, match="conflict") as refusal:
        splatjobs.apply_status("fox", "quota", conditions=[condition("Accepted", "False")])

    assert refusal.value.code == 409


def condition(type: str, status: str = "True") -> dict[str, str]:
    return {
        "type": type,
        "status": status,
        "reason": "Valid",
        "message": "",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
