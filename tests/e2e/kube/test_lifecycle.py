"""What people do to jobs while they live: suspend, resume, reorder, terminate, delete."""

from __future__ import annotations

import urllib.request
from urllib.error import HTTPError

import pytest

from tests.e2e.kube.jobs import ENDLESS, LONG, PHOTOS, QUICK, Jobs, Resource, stage
from tests.e2e.kube.platform import Platform

pytestmark = [pytest.mark.kube, pytest.mark.timeout(240), pytest.mark.usefixtures("operator")]


def page_status(platform: Platform, job: Resource) -> int:
    """What the streamer answers to the job's viewer URL."""
    try:
        with urllib.request.urlopen(platform.url(job["status"]["result"]["viewerURL"]), timeout=10) as page:
            return int(page.status)
    except HTTPError as error:
        with error:
            return error.code


def test_a_deleted_job_takes_its_files_and_its_scene_along(jobs: Jobs, platform: Platform):
    jobs.create("gone")
    job = jobs.until_phase("gone", "Succeeded")
    assert page_status(platform, job) == 200
    jobs.delete("gone")
    assert platform.keys(job["status"]["result"]["uri"]) == []
    assert page_status(platform, job) == 404
    assert platform.keys(PHOTOS)


def test_what_a_deleted_job_has_made_stays_where_its_policy_says_so(jobs: Jobs, platform: Platform):
    jobs.create("kept", artifactPolicy={"onDelete": "Retain"})
    job = jobs.until_phase("kept", "Succeeded")
    before = platform.keys(job["status"]["result"]["uri"])
    jobs.delete("kept")
    assert platform.keys(job["status"]["result"]["uri"]) == before
    assert page_status(platform, job) == 200


def test_only_the_scene_stays_of_a_job_that_deletes_its_intermediates(jobs: Jobs, platform: Platform):
    jobs.create("slim", artifactPolicy={"intermediates": "Delete"})
    job = jobs.until_phase("slim", "Succeeded")
    uri = job["status"]["result"]["uri"]
    kept = {
        key.removeprefix(f"jobs/{job['metadata']['uid']}/").partition("/")[0] for key in platform.keys(uri)
    }
    assert kept == {"compressed", "published"}


def test_a_job_deleted_in_the_middle_ends_its_work_first(jobs: Jobs, platform: Platform):
    job = jobs.create("stopped", train=ENDLESS)
    jobs.until_running("stopped", "train")
    child = platform.shared("trainer").child()
    jobs.delete("stopped")
    assert not child.is_running()
    assert platform.keys(f"s3://splatworks/jobs/{job['metadata']['uid']}") == []


def test_a_suspended_job_lets_another_run_and_goes_on_from_its_checkpoint(jobs: Jobs, platform: Platform):
    job = jobs.create("first", train=LONG)
    jobs.until_running("first", "train")
    platform.wait_for_checkpoint(platform.shared("trainer"), job["metadata"]["uid"])
    jobs.change("first", suspend=True)
    jobs.until_phase("first", "Suspended")
    jobs.create("second", train={**QUICK, "seed": 1})
    jobs.until_phase("second", "Succeeded")
    jobs.change("first", suspend=False)
    done = jobs.until_phase("first", "Succeeded")
    log = platform.json_lines(f"{done['status']['result']['uri']}/gaussian/training.log")
    assert [line["event"] for line in log].count("resume") == 1
    assert stage(done, "train")["attempt"] == 2
    assert [event["reason"] for event in jobs.events("first", "Succeeded")] == [
        *["StageStarted"] * 2,
        "Suspended",
        *["StageStarted"] * 3,
        "Succeeded",
    ]


def test_the_next_worker_goes_to_the_most_urgent_job_and_not_to_the_oldest(jobs: Jobs, platform: Platform):
    jobs.create("running", train=ENDLESS)
    jobs.until_running("running", "train")
    jobs.create("older", train=ENDLESS)
    jobs.until("older", lambda status: status.get("queuePosition") == 1 and status["currentStage"] == "train")
    jobs.create("urgent", priority=10, train=ENDLESS)
    jobs.until(
        "urgent", lambda status: status.get("queuePosition") == 1 and status["currentStage"] == "train"
    )
    jobs.change("running", terminate=True)
    jobs.until_running("urgent", "train")
    waiting = jobs.until("older", lambda status: status.get("queuePosition") == 1)
    assert stage(waiting, "train")["state"] == "Pending"


def test_a_terminated_job_stays_to_be_looked_at_and_frees_its_worker(jobs: Jobs, platform: Platform):
    jobs.create("ended", train=ENDLESS)
    jobs.until_running("ended", "train")
    child = platform.shared("trainer").child()
    jobs.change("ended", terminate=True)
    job = jobs.until_phase("ended", "Failed")
    assert stage(job, "train")["reason"] == "Cancelled"
    assert not child.is_running()
