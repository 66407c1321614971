from __future__ import annotations

from dataclasses import replace

import pytest

from splatworks_common.reasons import UNCOUNTED, Reason
from splatworks_operator.job import Job
from splatworks_operator.pipeline import (
    Cancel,
    DeleteArtifacts,
    DeleteIntermediates,
    DeleteJob,
    Failure,
    Observation,
    Result,
    Start,
    delete,
    reconcile,
)
from splatworks_operator.spec import SplatJobSpec
from splatworks_operator.status import JobStatus, Phase, Progress, StageName, StageState, WorkerRef

WORKER = WorkerRef("pod-1", "10.0.0.1:50051", "a1")
OFFER = Observation(offer=WORKER)
SUCCESS = Observation(result=Result(cached=False, metrics={"psnr": 30.0}, input_digest="d1"))


def job(**spec) -> Job:
    spec = {"source": {"uri": "s3://photos/fox"}, **spec}
    return Job("uid", "fox", SplatJobSpec.model_validate(spec), "s3://platform/jobs/uid", slug="fox-uid")


JOB = job()


def failure(reason: Reason) -> Observation:
    return Observation(failure=Failure(reason, "what happened"))


def running(stage: StageName = StageName.SFM, of: Job = JOB) -> JobStatus:
    """The status while the stage's first attempt runs since second 0."""
    status, _ = reconcile(of, JobStatus(), OFFER, now=0)
    while status.current is not None and status.current.name is not stage:
        status, _ = reconcile(of, status, SUCCESS, now=0)
        status, _ = reconcile(of, status, OFFER, now=0)
    return status


def finished() -> JobStatus:
    return reconcile(JOB, running(StageName.PUBLISH), SUCCESS, now=100)[0]


# Waiting and starting


def test_a_new_job_waits_in_the_queue_while_no_worker_is_free():
    status, actions = reconcile(JOB, JobStatus(), Observation(queue_position=3), now=5)
    assert (status.phase, status.queue_position, status.queued, actions) == (Phase.QUEUED, 3, 5, [])


def test_a_job_starts_on_the_worker_it_is_offered():
    status, actions = reconcile(JOB, JobStatus(), OFFER, now=5)
    assert actions == [Start(StageName.SFM, "uid.sfm.1", WORKER)]
    assert status.phase is Phase.RUNNING


def test_a_started_stage_names_its_worker_and_its_operation_before_anybody_is_called():
    stage = running().stage(StageName.SFM)
    assert (stage.worker, stage.operation) == (WORKER, "operations/uid.sfm.1")


def test_a_started_job_stands_in_no_queue():
    queued, _ = reconcile(JOB, JobStatus(), Observation(queue_position=3), now=0)
    status, _ = reconcile(JOB, queued, OFFER, now=5)
    assert (status.queue_position, status.queued) == (None, None)


def test_a_running_stage_of_which_nothing_is_known_is_started_again_under_the_same_id_on_the_same_worker():
    _, actions = reconcile(JOB, running(), Observation(), now=1)
    assert actions == [Start(StageName.SFM, "uid.sfm.1", WORKER)]


def test_an_offer_to_a_running_stage_does_not_move_it():
    other = WorkerRef("pod-2")
    _, actions = reconcile(JOB, running(), Observation(offer=other), now=1)
    assert actions == [Start(StageName.SFM, "uid.sfm.1", WORKER)]


# Progress and success


def test_progress_is_kept_and_starts_nothing():
    status, actions = reconcile(JOB, running(), Observation(progress=Progress(percent=30.0)), now=1)
    assert status.stage(StageName.SFM).progress.percent == 30.0
    assert actions == []


def test_progress_never_goes_back_within_an_attempt():
    status, _ = reconcile(JOB, running(), Observation(progress=Progress(percent=30.0)), now=1)
    status, _ = reconcile(JOB, status, Observation(progress=Progress(percent=10.0)), now=2)
    assert status.stage(StageName.SFM).progress.percent == 30.0


def test_a_finished_stage_makes_way_for_the_next():
    status, _ = reconcile(JOB, running(), SUCCESS, now=1)
    _, actions = reconcile(JOB, status, OFFER, now=1)
    assert actions == [Start(StageName.TRAIN, "uid.train.1", WORKER)]


def test_a_job_between_two_stages_is_still_running():
    status, _ = reconcile(JOB, running(), SUCCESS, now=1)
    status, _ = reconcile(JOB, status, Observation(queue_position=1), now=2)
    assert status.phase is Phase.RUNNING


def test_a_finished_stage_keeps_what_it_gave():
    status, _ = reconcile(JOB, running(), SUCCESS, now=1)
    stage = status.stage(StageName.SFM)
    assert (stage.metrics, stage.input_digest, stage.cached) == ({"psnr": 30.0}, "d1", False)


def test_a_result_taken_from_the_cache_is_marked():
    hit = Observation(result=Result(cached=True, metrics={}))
    status, _ = reconcile(JOB, running(), hit, now=1)
    assert status.stage(StageName.SFM).cached


def test_the_job_succeeds_with_its_last_stage():
    assert (finished().phase, finished().completed) == (Phase.SUCCEEDED, 100)


def test_a_job_that_is_not_to_be_published_ends_with_compression():
    of = job(publish={"enabled": False})
    status, _ = reconcile(of, running(StageName.COMPRESS, of), SUCCESS, now=9)
    assert status.phase is Phase.SUCCEEDED
    assert status.stage(StageName.PUBLISH).state is StageState.SKIPPED


def test_intermediates_are_deleted_once_the_job_has_succeeded_where_that_is_asked_for():
    of = job(artifactPolicy={"intermediates": "Delete"})
    assert reconcile(of, running(StageName.PUBLISH, of), SUCCESS, now=9)[1] == [DeleteIntermediates()]


def test_intermediates_stay_by_default():
    assert reconcile(JOB, running(StageName.PUBLISH), SUCCESS, now=9)[1] == []


# Failures


@pytest.mark.parametrize(
    "reason",
    [
        Reason.INPUT_INVALID,
        Reason.INPUT_NOT_FOUND,
        Reason.TOO_FEW_IMAGES,
        Reason.SFM_DIVERGED,
        Reason.DEADLINE_EXCEEDED,
    ],
)
def test_what_would_only_repeat_itself_fails_the_job_at_once(reason):
    status, _ = reconcile(JOB, running(), failure(reason), now=1)
    assert status.phase is Phase.FAILED
    assert status.stage(StageName.SFM).reason is reason


def test_a_crash_is_tried_again_under_a_new_id_after_a_wait():
    status, actions = reconcile(JOB, running(), failure(Reason.INTERNAL), now=10)
    assert actions == []
    assert reconcile(JOB, status, OFFER, now=10)[1] == []
    assert reconcile(JOB, status, OFFER, now=11)[1] == [Start(StageName.SFM, "uid.sfm.2", WORKER)]


def test_waits_grow_by_the_factor_up_to_the_longest():
    of = job(failurePolicy={"backoff": {"initialSeconds": 2, "factor": 3, "maxSeconds": 10}})
    status, waits = running(of=of), []
    for _ in range(4):
        status, _ = reconcile(of, status, failure(Reason.WORKER_LOST), now=100)
        waits.append(status.stage(StageName.SFM).not_before - 100)
        status, _ = reconcile(of, status, OFFER, now=1000)
    assert waits == [2, 6, 10, 10]


def test_the_last_counted_attempt_fails_the_job():
    of = job(failurePolicy={"maxAttemptsPerStage": 2})
    status, _ = reconcile(of, running(of=of), failure(Reason.INTERNAL), now=0)
    status, _ = reconcile(of, status, OFFER, now=100)
    status, _ = reconcile(of, status, failure(Reason.INTERNAL), now=101)
    assert status.phase is Phase.FAILED


@pytest.mark.parametrize("reason", sorted(UNCOUNTED | {Reason.CANCELLED}))
def test_what_the_platform_does_costs_no_attempt(reason):
    status, _ = reconcile(JOB, running(), failure(reason), now=0)
    assert status.phase is Phase.RUNNING
    assert status.stage(StageName.SFM).counted_attempts == 0


def test_a_platform_that_never_comes_back_ends_the_job_in_the_end():
    of = job(failurePolicy={"maxUncountedAttemptsPerStage": 2})
    status = running(of=of)
    for now in (1000, 2000, 3000):
        status, _ = reconcile(of, status, failure(Reason.WORKER_LOST), now)
        status, _ = reconcile(of, status, OFFER, now + 500)
    assert status.phase is Phase.FAILED


def test_a_worker_that_was_busy_after_all_uses_up_nothing():
    status, _ = reconcile(JOB, running(), failure(Reason.NO_FREE_SLOT), now=10)
    stage = status.stage(StageName.SFM)
    assert (stage.counted_attempts, stage.uncounted_attempts, stage.worker) == (0, 0, None)
    assert stage.not_before > 10


def test_a_lost_worker_is_another_attempt_elsewhere():
    status, _ = reconcile(JOB, running(), Observation(lost="pod-1 is gone"), now=0)
    assert status.stage(StageName.SFM).reason is Reason.WORKER_LOST
    other = WorkerRef("pod-2")
    _, actions = reconcile(JOB, status, Observation(offer=other), now=10)
    assert actions == [Start(StageName.SFM, "uid.sfm.2", other)]


@pytest.mark.parametrize(
    ("action", "phase", "counted"),
    [
        ("FailJob", Phase.FAILED, 1),
        ("RetryStage", Phase.RUNNING, 1),
        ("RetryStageUncounted", Phase.RUNNING, 0),
    ],
)
@pytest.mark.parametrize("reason", ["OutOfMemory", "TooFewImages"])
def test_a_rule_decides_what_a_reason_leads_to(action, phase, counted, reason):
    of = job(failurePolicy={"rules": [{"onReasons": [reason], "action": action}]})
    status, _ = reconcile(of, running(of=of), failure(Reason(reason)), now=0)
    assert (status.phase, status.stage(StageName.SFM).counted_attempts) == (phase, counted)


def test_the_first_rule_that_names_the_reason_decides():
    rules = [
        {"onReasons": ["Internal"], "action": "FailJob"},
        {"onReasons": ["Internal"], "action": "RetryStage"},
    ]
    of = job(failurePolicy={"rules": rules})
    assert reconcile(of, running(of=of), failure(Reason.INTERNAL), now=0)[0].phase is Phase.FAILED


# Suspension, termination, deadlines, the end


def test_suspending_cancels_the_attempt_and_frees_the_worker():
    status, actions = reconcile(job(suspend=True), running(), Observation(), now=1)
    assert actions == [Cancel(StageName.SFM, "operations/uid.sfm.1", WORKER)]
    assert (status.phase, status.stage(StageName.SFM).worker) == (Phase.SUSPENDED, None)


def test_a_suspended_job_takes_no_offer():
    status, _ = reconcile(job(suspend=True), JobStatus(), OFFER, now=1)
    assert (status.phase, reconcile(job(suspend=True), status, OFFER, now=2)[1]) == (Phase.SUSPENDED, [])


def test_a_resumed_job_queues_again_and_goes_on_with_the_stage_it_was_in():
    suspended, _ = reconcile(job(suspend=True), running(StageName.TRAIN), Observation(), now=1)
    queued, _ = reconcile(JOB, suspended, Observation(queue_position=1), now=5)
    assert (queued.phase, queued.queued) == (Phase.QUEUED, 5)
    assert reconcile(JOB, queued, OFFER, now=6)[1] == [Start(StageName.TRAIN, "uid.train.2", WORKER)]


def test_suspension_uses_up_no_attempt():
    status, _ = reconcile(job(suspend=True), running(), Observation(), now=1)
    stage = status.stage(StageName.SFM)
    assert (stage.counted_attempts, stage.uncounted_attempts) == (0, 0)


def test_terminating_cancels_the_attempt_and_fails_the_job():
    status, actions = reconcile(job(terminate=True), running(), Observation(), now=1)
    assert actions == [Cancel(StageName.SFM, "operations/uid.sfm.1", WORKER)]
    assert (status.phase, status.stage(StageName.SFM).reason) == (Phase.FAILED, Reason.CANCELLED)


def test_a_spec_that_the_platform_refuses_fails_with_its_words():
    status, actions = reconcile(JOB, JobStatus(), Observation(refused="bucket b is not allowed"), now=1)
    assert (status.phase, status.stage(StageName.SFM).message) == (Phase.FAILED, "bucket b is not allowed")
    assert actions == []


@pytest.mark.parametrize(("now", "phase"), [(59, Phase.RUNNING), (60, Phase.FAILED)])
def test_a_job_fails_at_its_active_deadline(now, phase):
    of = job(activeDeadlineSeconds=60)
    assert reconcile(of, running(of=of), Observation(progress=Progress()), now)[0].phase is phase


def test_the_active_deadline_starts_anew_after_a_suspension():
    of, paused = job(activeDeadlineSeconds=60), job(activeDeadlineSeconds=60, suspend=True)
    status, _ = reconcile(paused, running(of=of), Observation(), now=50)
    status, _ = reconcile(of, status, OFFER, now=500)
    assert reconcile(of, status, Observation(progress=Progress()), now=559)[0].phase is Phase.RUNNING


@pytest.mark.parametrize(("now", "phase"), [(70, Phase.QUEUED), (71, Phase.FAILED)])
def test_a_job_fails_at_its_queue_deadline(now, phase):
    of = job(queueDeadlineSeconds=60)
    queued, _ = reconcile(of, JobStatus(), Observation(queue_position=1), now=11)
    assert reconcile(of, queued, Observation(queue_position=1), now)[0].phase is phase


def test_the_queue_deadline_is_for_jobs_that_have_not_started():
    of = job(queueDeadlineSeconds=60)
    status, _ = reconcile(of, running(of=of), SUCCESS, now=1)
    assert reconcile(of, status, Observation(queue_position=1), now=1000)[0].phase is Phase.RUNNING


@pytest.mark.parametrize(("now", "actions"), [(109, []), (110, [DeleteJob()])])
def test_a_finished_job_is_deleted_at_its_time(now, actions):
    assert reconcile(job(ttlSecondsAfterFinished=10), finished(), Observation(), now)[1] == actions


def test_a_finished_job_stays_where_no_time_is_set():
    assert reconcile(JOB, finished(), Observation(), now=10**9) == (finished(), [])


@pytest.mark.parametrize("of", [job(suspend=True), job(terminate=True), job(activeDeadlineSeconds=1)])
def test_nothing_changes_a_finished_job(of):
    assert reconcile(of, finished(), SUCCESS, now=10**9) == (finished(), [])


def test_a_deleted_job_cancels_its_attempt_before_its_files_go():
    cancel = Cancel(StageName.SFM, "operations/uid.sfm.1", WORKER)
    assert delete(JOB, running()) == [cancel, DeleteArtifacts()]


def test_a_job_that_was_refused_goes_without_a_look_at_the_store():
    refused, _ = reconcile(JOB, JobStatus(), Observation(refused="not allowed"), now=1)
    assert delete(JOB, refused) == []


def test_a_deleted_job_leaves_its_files_where_that_is_asked_for():
    assert delete(job(artifactPolicy={"onDelete": "Retain"}), finished()) == []


def test_an_edited_spec_is_answered_with_its_generation():
    status, _ = reconcile(replace(JOB, generation=7), running(), Observation(), now=1)
    assert status.generation == 7
