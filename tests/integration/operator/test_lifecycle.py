"""What a person sees of a SplatJob from its creation to its end."""

from __future__ import annotations

import base64

from splatworks_common import reasons
from splatworks_operator.status import StageName
from tests.fakes.kube_api import SECRETS, SPLATJOBS
from tests.fakes.worker import FOREVER, Plan
from tests.integration.operator.conftest import NAMESPACE, World, until


def test_a_job_goes_through_all_stages(world: World):
    world.start_operator(viewerBaseURL="https://splats.example.com")
    job = world.submit()
    world.until_phase("Succeeded")
    status, uid = world.status(), job["metadata"]["uid"]
    assert [stage["state"] for stage in status["stages"]] == ["Succeeded"] * 4
    assert status["result"]["uri"] == f"s3://splatworks/jobs/{uid}"
    assert status["result"]["viewerURL"] == f"https://splats.example.com/s/fox-{uid[:8]}/"
    assert (status["result"]["psnr"], status["result"]["registeredImages"]) == ("27.5", 12)
    assert status["observedGeneration"] == 1


def test_each_transition_is_one_event_and_few_writes(world: World):
    world.start_operator()
    world.submit()
    until(lambda: world.events()[-1:] == ["Succeeded"])
    assert world.events() == ["StageStarted"] * 4 + ["Succeeded"]
    assert world.writes_of() <= 12


def test_a_running_stage_shows_its_progress(world: World):
    world.add_worker(StageName.TRAIN, lambda request: Plan(seconds=1e9, percent=40.0))
    world.start_operator()
    world.submit()
    until(lambda: world.stage(StageName.TRAIN).get("progress", {}).get("percent") == 40)
    status = world.status()
    assert status["phase"] == "Running"
    assert status["currentStage"] == "train"
    assert status["message"] == "Working: 40 of 100 steps"
    assert 35 < status["progressPercent"] < 85


def test_an_attempt_that_fails_by_a_defect_is_counted_and_tried_again(world: World):
    plans = iter([Plan(error=reasons.Internal("it crashed"))])
    world.add_worker(StageName.TRAIN, lambda request: next(plans, Plan()))
    world.start_operator()
    world.submit(failurePolicy={"backoff": {"initialSeconds": 0}})
    world.until_phase("Succeeded")
    train = world.stage(StageName.TRAIN)
    assert (train["attempt"], train["countedAttempts"], train["uncountedAttempts"]) == (2, 1, 0)
    assert "StageRetrying" in world.events()


def test_an_attempt_that_the_platform_lost_is_not_counted(world: World):
    plans = iter([Plan(error=reasons.Preempted("stopping"))])
    world.add_worker(StageName.TRAIN, lambda request: next(plans, Plan()))
    world.start_operator()
    world.submit(failurePolicy={"backoff": {"initialSeconds": 0}})
    world.until_phase("Succeeded")
    train = world.stage(StageName.TRAIN)
    assert (train["attempt"], train["countedAttempts"], train["uncountedAttempts"]) == (2, 0, 1)


def test_a_failure_of_the_input_ends_the_job(world: World):
    world.add_worker(StageName.SFM, lambda request: Plan(error=reasons.TooFewImages("3 photos")))
    world.start_operator()
    world.submit()
    world.until_phase("Failed")
    failed = next(found for found in world.status()["conditions"] if found["type"] == "Failed")
    assert failed["reason"] == "TooFewImages"
    assert "3 photos" in failed["message"]
    until(lambda: world.events()[-1:] == ["Failed"])


def test_suspending_frees_the_slot_and_resuming_goes_on(world: World):
    trainer = world.add_worker(StageName.TRAIN, lambda request: FOREVER, capacity=1)
    world.start_operator()
    world.submit("first")
    until(lambda: world.stage(StageName.TRAIN, "first").get("state") == "Running")
    world.submit("second")
    until(lambda: world.stage(StageName.SFM, "second").get("state") == "Succeeded")
    world.change("first", suspend=True)
    world.until_phase("Suspended", "first")
    until(lambda: world.stage(StageName.TRAIN, "second").get("state") == "Running")
    trainer.behave = lambda request: Plan()
    world.change("second", terminate=True)
    world.change("first", suspend=False)
    world.until_phase("Succeeded", "first")
    assert world.stage(StageName.TRAIN, "first")["attempt"] == 2
    assert world.ledger.repeated == []


def test_terminating_ends_the_job_for_good(world: World):
    world.add_worker(StageName.TRAIN, lambda request: FOREVER)
    world.start_operator()
    world.submit()
    until(lambda: world.stage(StageName.TRAIN).get("state") == "Running")
    operation = world.stage(StageName.TRAIN)["operation"]
    world.change(terminate=True)
    world.until_phase("Failed")
    assert world.stage(StageName.TRAIN)["reason"] == "Cancelled"
    assert world.ledger.cancelled == [operation]


def test_the_active_deadline_ends_a_job_that_runs_too_long(world: World):
    world.add_worker(StageName.TRAIN, lambda request: FOREVER)
    world.start_operator()
    world.submit(activeDeadlineSeconds=2)
    world.until_phase("Failed")
    assert world.stage(StageName.TRAIN)["reason"] == "DeadlineExceeded"
    assert len(world.ledger.cancelled) == 1


def test_the_queue_deadline_ends_a_job_that_waits_too_long(world: World):
    world.add_worker(StageName.SFM, lambda request: FOREVER, capacity=1)
    world.start_operator()
    world.submit("first")
    world.until_phase("Running", "first")
    world.submit("second", queueDeadlineSeconds=1)
    world.until_phase("Queued", "second")
    assert world.status("second")["queuePosition"] == 1
    world.until_phase("Failed", "second")
    assert world.stage(StageName.SFM, "second")["reason"] == "QueueDeadlineExceeded"


def test_the_highest_priority_goes_first(world: World):
    sfm = world.add_worker(StageName.SFM, lambda request: FOREVER, capacity=1)
    world.start_operator()
    world.submit("running")
    world.until_phase("Running", "running")
    for name, priority in (("low", 0), ("high", 10), ("middle", 5)):
        world.submit(name, priority=priority)
        world.until_phase("Queued", name)
    sfm.behave = lambda request: Plan(seconds=0.2)
    world.change("running", terminate=True)
    for name in ("low", "high", "middle"):
        world.until_phase("Succeeded", name)
    names = {job["metadata"]["uid"]: job["metadata"]["name"] for job in world.kube.list(SPLATJOBS)}
    order = [names[request.split(".")[0]] for request in world.ledger.executions if ".sfm." in request]
    assert order == ["running", "high", "middle", "low"]


def test_a_priority_raised_in_the_queue_counts(world: World):
    sfm = world.add_worker(StageName.SFM, lambda request: FOREVER, capacity=1)
    world.start_operator()
    world.submit("running")
    world.until_phase("Running", "running")
    for name in ("older", "younger"):
        world.submit(name)
        world.until_phase("Queued", name)
    world.change("younger", priority=1)
    until(lambda: world.status("younger").get("queuePosition") == 1)
    sfm.behave = lambda request: Plan(seconds=0.5)
    world.change("running", terminate=True)
    until(lambda: world.phase("younger") == "Running")
    assert world.phase("older") == "Queued"


def test_a_job_whose_bucket_is_not_allowed_is_refused(world: World):
    world.start_operator()
    world.submit(source={"uri": "s3://somebody-elses/photos"})
    world.until_phase("Failed")
    accepted = next(found for found in world.status()["conditions"] if found["type"] == "Accepted")
    assert accepted["status"] == "False"
    assert "somebody-elses" in accepted["message"]
    assert not world.ledger.executions


def test_a_private_source_is_opened_with_the_secrets_keys_which_show_nowhere(world: World):
    keys = {"access-key": "AKIA-OF-THE-USER", "secret-key": "never-to-be-seen"}
    data = {name: base64.b64encode(value.encode()).decode() for name, value in keys.items()}
    world.kube.create(SECRETS, {"metadata": {"name": "mine", "namespace": NAMESPACE}, "data": data})
    operator = world.operator_process(sourceSecrets=["mine"])
    operator.start()
    world.submit(source={"uri": "s3://photos/fox", "secretRef": {"name": "mine"}})
    world.until_phase("Succeeded", seconds=40)
    sent = next(request for name, request in world.ledger.requests.items() if ".sfm." in name)
    assert sent.photos_credentials.access_key == keys["access-key"]
    assert sent.photos_credentials.secret_key == keys["secret-key"]
    told = [operator.log, operator.scrape(), *map(repr, world.kube.list(SPLATJOBS)), *world.events()]
    assert not [text for text in told if "never-to-be-seen" in text or "AKIA-OF-THE-USER" in text]


def test_a_secret_that_the_platform_does_not_allow_is_refused(world: World):
    world.start_operator()
    world.submit(source={"uri": "s3://photos/fox", "secretRef": {"name": "database-password"}})
    world.until_phase("Failed")
    assert "database-password" in world.status()["message"]


def test_a_secret_that_is_not_there_fails_the_job_with_a_word(world: World):
    world.start_operator(sourceSecrets=["mine"])
    world.submit(source={"uri": "s3://photos/fox", "secretRef": {"name": "mine"}})
    world.until_phase("Failed")
    assert world.stage(StageName.SFM)["reason"] == "InputNotFound"
    assert "no Secret mine" in world.status()["message"]


def test_a_job_without_publishing_ends_after_compression(world: World):
    world.start_operator()
    world.submit(publish={"enabled": False})
    world.until_phase("Succeeded")
    assert world.stage(StageName.PUBLISH)["state"] == "Skipped"
    assert "viewerURL" not in world.status()["result"]
