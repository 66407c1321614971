"""What the operator writes as status is what the API server keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from splatworks_common.reasons import Reason
from splatworks_operator.resource import from_resource, to_resource
from splatworks_operator.status import (
    Artifact,
    Condition,
    ConditionType,
    JobResult,
    JobStatus,
    Phase,
    Progress,
    StageName,
    StageState,
    StageStatus,
    WorkerRef,
)
from tests.integration.crd.splatjobs import SplatJobs
from tests.kube.cluster import ApiError, KubeCluster

pytestmark = pytest.mark.kube

times = st.integers(1, 4_102_444_800)
counts = st.integers(0, 2**53)
figures = st.floats(allow_nan=False, allow_infinity=False, width=32)
amounts = st.floats(0, 1e15)
words = st.from_regex(r"[a-z][a-z0-9_-]{0,40}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=1024)
metrics = st.dictionaries(words, figures, max_size=32)

workers = st.builds(WorkerRef, words, st.just("") | words, st.just("") | words)
progress = st.builds(
    Progress,
    percent=st.floats(0, 100),
    done=amounts,
    total=amounts,
    eta_seconds=st.none() | st.floats(0, 1e9),
    message=texts,
    unit=st.just("") | words,
    metrics=metrics,
)
artifacts = st.builds(
    Artifact,
    name=words,
    uri=words.map("s3://splatworks/jobs/{}".format),
    size_bytes=counts,
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    media_type=st.just("application/octet-stream"),
)


def stages(name: StageName) -> st.SearchStrategy[StageStatus]:
    return st.builds(
        StageStatus,
        name=st.just(name),
        state=st.sampled_from(StageState),
        attempt=st.integers(0, 1010),
        counted_attempts=st.integers(0, 10),
        uncounted_attempts=st.integers(0, 1000),
        not_before=st.just(0) | times,
        operation=st.just("") | words.map("operations/{}".format),
        worker=st.none() | workers,
        started=st.none() | times,
        ended=st.none() | times,
        progress=progress,
        reason=st.none() | st.sampled_from(Reason),
        message=texts,
        cached=st.booleans(),
        input_digest=st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64),
        outputs=st.lists(artifacts, max_size=16, unique_by=lambda output: output.name).map(tuple),
        metrics=metrics,
    )


conditions = st.builds(
    Condition,
    type=st.sampled_from(ConditionType),
    status=st.booleans(),
    reason=st.sampled_from(["Valid", "WorkerFound", *map(str, Reason)]),
    message=texts,
    since=times,
    generation=counts,
)
results = st.builds(
    JobResult,
    uri=words.map("s3://splatworks/jobs/{}".format),
    viewer_url=st.just("") | words.map("https://splats.example.com/s/{}/".format),
    num_gaussians=st.none() | counts,
    registered_images=st.none() | counts,
    total_images=st.none() | counts,
    psnr=st.none() | figures,
    ssim=st.none() | figures,
    size_bytes=st.none() | counts,
    compression_ratio=st.none() | figures,
)
statuses = st.builds(
    JobStatus,
    phase=st.sampled_from(Phase),
    stages=st.tuples(*map(stages, StageName)),
    message=texts,
    queue_position=st.none() | counts,
    queued=st.none() | times,
    started=st.none() | times,
    completed=st.none() | times,
    conditions=st.lists(conditions, max_size=5, unique_by=lambda condition: condition.type).map(tuple),
    result=results,
    generation=counts,
)


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
