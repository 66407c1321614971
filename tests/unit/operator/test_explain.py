from __future__ import annotations

from dataclasses import replace

from splatworks_common.reasons import Reason
from splatworks_operator.explain import events, worth_writing
from splatworks_operator.job import Job
from splatworks_operator.pipeline import Failure, Observation, Result, reconcile
from splatworks_operator.spec import SplatJobSpec
from splatworks_operator.status import Condition, ConditionType, JobStatus, Progress, WorkerRef

SPEC = SplatJobSpec.model_validate({"source": {"uri": "s3://photos/fox"}})
JOB = Job("uid", "fox", SPEC, "s3://p/jobs/uid", slug="fox", generation=2, viewer_base_url="https://v.test")
SUSPENDED = replace(JOB, spec=SPEC.model_copy(update={"suspend": True}))
OFFER = Observation(offer=WorkerRef("pod-1"))
SUCCESS = Observation(result=Result(cached=False, metrics={}))


def after(*observed: Observation, job: Job = JOB) -> JobStatus:
    status = JobStatus()
    for now, observation in enumerate(observed):
        status, _ = reconcile(job, status, observation, now)
    return status


def condition(status: JobStatus, type: ConditionType) -> Condition:
    found = status.condition(type)
    assert found is not None
    return found


def finding(done: float, percent: float) -> Observation:
    progress = Progress(percent, done, 50, message="Finding features", unit="photos")
    return Observation(progress=progress)


def test_the_message_says_how_far_the_work_is():
    assert after(OFFER, finding(24, 30)).message == "Finding features: 24 of 50 photos"


def test_the_message_says_how_many_are_ahead_in_the_queue():
    message = after(Observation(queue_position=3)).message
    assert message == "Waiting for a worker for finding camera poses (2 ahead)"


def test_the_message_of_a_failed_job_names_the_reason_and_what_happened():
    failed = after(OFFER, Observation(failure=Failure(Reason.TOO_FEW_IMAGES, "2 photos; take more.")))
    assert failed.message == "Finding camera poses ended with TooFewImages: 2 photos; take more."


def test_the_message_of_a_job_that_never_began_does_not_speak_of_its_work():
    message = after(Observation(refused="bucket photos is not allowed")).message
    assert message == "Not started: InputInvalid: bucket photos is not allowed"


def test_the_message_of_a_job_that_succeeded_is_where_to_look():
    status = after(*[OFFER, SUCCESS] * 4)
    assert status.message == "The scene is ready: https://v.test/s/fox/"


def test_the_result_names_the_viewer_only_once_the_scene_is_published():
    assert after(*[OFFER, SUCCESS] * 3).result.viewer_url == ""


def test_figures_of_finished_stages_are_the_jobs_result():
    sfm = Observation(result=Result(cached=False, metrics={"registered_images": 49.0, "total_images": 50.0}))
    train = Observation(result=Result(cached=False, metrics={"psnr": 31.1, "gaussians": 7.0}))
    result = after(OFFER, sfm, OFFER, train).result
    found = (result.registered_images, result.total_images, result.psnr, result.num_gaussians)
    assert found == (49, 50, 31.1, 7)


def test_a_condition_keeps_its_time_while_it_holds():
    status = after(OFFER, finding(1, 1), finding(2, 2))
    assert condition(status, ConditionType.ADMITTED).since == 0


def test_a_condition_takes_a_new_time_when_it_turns():
    suspended, _ = reconcile(SUSPENDED, after(OFFER), Observation(), now=50)
    assert condition(suspended, ConditionType.ADMITTED).since == 50


def test_a_refused_job_is_not_accepted():
    refused = condition(after(Observation(refused="bucket photos is not allowed")), ConditionType.ACCEPTED)
    assert (refused.status, refused.message) == (False, "bucket photos is not allowed")


def test_a_resumed_job_says_that_it_is_no_longer_suspended():
    suspended, _ = reconcile(SUSPENDED, after(OFFER), Observation(), now=5)
    resumed, _ = reconcile(JOB, suspended, OFFER, now=6)
    assert condition(resumed, ConditionType.SUSPENDED).status is False


def test_conditions_carry_the_generation_they_were_judged_by():
    assert {condition.generation for condition in after(OFFER).conditions} == {2}


def test_a_whole_life_is_one_event_a_stage_and_one_at_the_end():
    status, told = JobStatus(), []
    for now, observed in enumerate([OFFER, finding(1, 1), *[SUCCESS, OFFER] * 3, SUCCESS]):
        new, _ = reconcile(JOB, status, observed, now)
        told += [event.reason for event in events(status, new)]
        status = new
    assert told == ["StageStarted"] * 4 + ["Succeeded"]


def test_a_stage_that_is_tried_again_is_a_warning_with_the_reason():
    running = after(OFFER)
    retrying, _ = reconcile(JOB, running, Observation(lost="pod-1 is gone"), now=9)
    assert [(event.type, event.message) for event in events(running, retrying)] == [
        ("Warning", "sfm, attempt 1: WorkerLost: pod-1 is gone")
    ]


def test_suspending_and_resuming_are_one_event_each():
    running = after(OFFER)
    suspended, _ = reconcile(SUSPENDED, running, Observation(), now=5)
    resumed, _ = reconcile(JOB, suspended, Observation(), now=6)
    told = [event.reason for event in [*events(running, suspended), *events(suspended, resumed)]]
    assert told == ["Suspended", "Resumed"]


def test_progress_is_no_event():
    running = after(OFFER)
    assert events(running, reconcile(JOB, running, finding(9, 20), now=9)[0]) == []


def test_a_transition_is_written_at_once():
    running = after(OFFER)
    assert worth_writing(running, reconcile(JOB, running, SUCCESS, now=1)[0], seconds=0)


def test_progress_alone_is_written_only_every_few_seconds():
    running = after(OFFER)
    further, _ = reconcile(JOB, running, finding(9, 20), now=1)
    assert [worth_writing(running, further, seconds) for seconds in (4.9, 5.0)] == [False, True]


def test_progress_of_less_than_a_percent_is_not_written():
    before = after(OFFER, finding(9, 20))
    further, _ = reconcile(JOB, before, finding(9.1, 20.4), now=1)
    assert not worth_writing(before, further, seconds=1000)
