from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.reasons import UNCOUNTED, Reason
from splatworks_operator.pipeline import (
    Failure,
    FailurePolicy,
    JobSpec,
    JobStatus,
    Observation,
    Phase,
    Progress,
    Result,
    StageName,
    StageState,
    Start,
    reconcile,
)

JOB = JobSpec("uid", "s3://b/photos.zip", "s3://b/jobs/uid", "fox", "Fox", "standard")
SUCCESS = Observation(result=Result(cached=False, metrics={"psnr": 30.0}))


def failure(reason: Reason) -> Observation:
    return Observation(failure=Failure(reason, "what happened"))


def started() -> JobStatus:
    status, _ = reconcile(JOB, JobStatus(), None, now=0.0)
    return status


def test_a_new_job_starts_its_first_stage():
    status, actions = reconcile(JOB, JobStatus(), None, now=5.0)
    assert actions == [Start(StageName.SFM, "uid.sfm.1")]
    assert status.stage(StageName.SFM).state is StageState.RUNNING


def test_a_running_stage_of_which_nothing_is_known_is_started_again_under_the_same_id():
    _, actions = reconcile(JOB, started(), None, now=1.0)
    assert actions == [Start(StageName.SFM, "uid.sfm.1")]


def test_progress_is_kept_and_starts_nothing():
    status, actions = reconcile(JOB, started(), Observation(progress=Progress(percent=30.0)), now=1.0)
    assert status.stage(StageName.SFM).progress.percent == 30.0
    assert actions == []


def test_progress_never_goes_back_within_an_attempt():
    status, _ = reconcile(JOB, started(), Observation(progress=Progress(percent=30.0)), now=1.0)
    status, _ = reconcile(JOB, status, Observation(progress=Progress(percent=10.0)), now=2.0)
    assert status.stage(StageName.SFM).progress.percent == 30.0


def test_a_finished_stage_makes_way_for_the_next():
    status, _ = reconcile(JOB, started(), SUCCESS, now=1.0)
    _, actions = reconcile(JOB, status, None, now=1.0)
    assert actions == [Start(StageName.TRAIN, "uid.train.1")]


def test_a_finished_stage_keeps_its_metrics():
    status, _ = reconcile(JOB, started(), SUCCESS, now=1.0)
    assert status.stage(StageName.SFM).metrics == {"psnr": 30.0}


def test_the_job_succeeds_with_its_last_stage():
    status = JobStatus()
    for _ in StageName:
        status, _ = reconcile(JOB, status, None, now=0.0)
        status, _ = reconcile(JOB, status, SUCCESS, now=1.0)
    assert status.phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    "reason", [Reason.INPUT_INVALID, Reason.INPUT_NOT_FOUND, Reason.TOO_FEW_IMAGES, Reason.SFM_DIVERGED]
)
def test_a_fault_of_the_input_fails_the_job_at_once(reason):
    status, _ = reconcile(JOB, started(), failure(reason), now=1.0)
    assert status.phase is Phase.FAILED
    assert status.stage(StageName.SFM).reason is reason


def test_a_crash_is_tried_again_under_a_new_id_after_a_wait():
    status, actions = reconcile(JOB, started(), failure(Reason.INTERNAL), now=10.0)
    assert actions == []
    assert reconcile(JOB, status, None, now=10.5)[1] == []
    assert reconcile(JOB, status, None, now=11.0)[1] == [Start(StageName.SFM, "uid.sfm.2")]


def test_a_second_crash_is_the_last():
    status, _ = reconcile(JOB, started(), failure(Reason.INTERNAL), now=0.0)
    status, _ = reconcile(JOB, status, None, now=100.0)
    status, _ = reconcile(JOB, status, failure(Reason.INTERNAL), now=101.0)
    assert status.phase is Phase.FAILED


@pytest.mark.parametrize("reason", sorted(UNCOUNTED))
def test_what_the_platform_does_costs_no_attempt(reason):
    status, _ = reconcile(JOB, started(), failure(reason), now=0.0)
    assert status.phase is Phase.RUNNING
    assert status.stage(StageName.SFM).counted_attempts == 0


def test_a_platform_that_never_comes_back_ends_the_job_in_the_end():
    job, status, now = replace(JOB, failure=FailurePolicy(max_uncounted=2)), JobStatus(), 0.0
    for _ in range(3):
        now += 1000.0
        status, _ = reconcile(job, status, None, now)
        status, _ = reconcile(job, status, failure(Reason.WORKER_LOST), now)
    assert status.phase is Phase.FAILED


def test_a_terminal_job_does_nothing_more():
    status, _ = reconcile(JOB, started(), failure(Reason.INPUT_INVALID), now=1.0)
    assert reconcile(JOB, status, SUCCESS, now=2.0) == (status, [])


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.just(SUCCESS),
            st.sampled_from([failure(reason) for reason in Reason]),
            st.floats(0, 100).map(lambda percent: Observation(progress=Progress(percent=percent))),
        ),
        max_size=60,
    )
)
def test_whatever_is_observed_no_request_id_starts_after_another_and_attempts_stay_within_the_policy(
    observed,
):
    status, ids, now = JobStatus(), [], 0.0
    for observation in observed:
        now += 60.0
        before = status
        status, actions = reconcile(JOB, status, observation, now)
        for action in actions:
            if action.request_id not in ids:
                ids.append(action.request_id)
            assert action.request_id == ids[-1]
        assert not (before.phase.terminal and status != before)
        assert all(stage.counted_attempts <= JOB.failure.max_attempts for stage in status.stages)
        finished = {stage.name for stage in before.stages if stage.state is StageState.SUCCEEDED}
        assert not finished & {action.stage for action in actions}
