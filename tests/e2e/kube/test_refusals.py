"""Jobs that may not run, or can not: they fail with a clear word, and no secret comes out anywhere."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.e2e.kube.jobs import PHOTOS, Jobs, stage
from tests.e2e.kube.operators import Operator
from tests.e2e.kube.platform import Platform
from tests.e2e.kube.release import Release, installed
from tests.kube.cluster import ApiError, KubeCluster

pytestmark = [pytest.mark.kube, pytest.mark.timeout(240)]

ALLOWED, MISSING, USELESS, WRONG = "studio-photos", "not-there", "half", "strangers"
WRONG_SECRET = "a-secret-that-opens-nothing"


@pytest.fixture
def release(splatjob_cluster: KubeCluster, kube_namespace: str) -> Release:
    """A release whose jobs may name Secrets."""
    return installed(splatjob_cluster, kube_namespace, source_secrets=[ALLOWED, MISSING, USELESS, WRONG])


def make_secret(jobs: Jobs, name: str, **values: str) -> None:
    data = {key.replace("_", "-"): base64.b64encode(text.encode()).decode() for key, text in values.items()}
    body = {"metadata": {"name": name}, "data": data}
    jobs.cluster.request("POST", f"/api/v1/namespaces/{jobs.namespace}/secrets", body)


def source(name: str) -> dict[str, Any]:
    return {"uri": PHOTOS, "secretRef": {"name": name}}


NOT_ALLOWED: dict[str, tuple[dict[str, Any], str]] = {
    "a bucket to read": ({"source": {"uri": "s3://payroll/2026/"}}, "may not read from s3://payroll/2026"),
    "a bucket to write": ({"output": {"uri": "s3://payroll"}}, "may not write to s3://payroll"),
    "the cache": ({"output": {"uri": "s3://splatworks/cache"}}, "a folder of the platform's own"),
    "the published scenes": (
        {"output": {"uri": "s3://splatworks/scenes/x"}},
        "a folder of the platform's own",
    ),
    "a Secret": ({"source": source("database")}, "does not allow a Secret named database"),
}


@pytest.mark.usefixtures("operator")
def test_what_the_platform_does_not_allow_fails_before_it_begins(jobs: Jobs):
    for number, (spec, _) in enumerate(NOT_ALLOWED.values()):
        jobs.create(f"job-{number}", **spec)
    for number, (_, why) in enumerate(NOT_ALLOWED.values()):
        job = jobs.until_phase(f"job-{number}", "Failed")
        assert why in job["status"]["message"]
        assert stage(job, "sfm")["attempt"] == 0
        (accepted,) = [c for c in job["status"]["conditions"] if c["type"] == "Accepted"]
        assert accepted["status"] == "False"
        assert [event["reason"] for event in jobs.events(f"job-{number}", "Failed")] == ["Failed"]


HOSTILE = [
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "https://store.example.com/photos",
    "s3://user:password@store.example.com/photos",
    "s3://splatworks",
    "s3://splatworks/",
    "s3://splatworks/../payroll/",
    "s3://splatworks/photos/../../payroll/",
    "s3://splatworks//photos/",
    "s3://splatworks/photos/?versionId=1",
    "s3://splatworks/photos/%2e%2e/",
    "s3://splatworks/photos/\n{}",
    "s3://splatworks/photos/$(id)/",
    "s3://splatworks/photos/`id`/",
    "s3://splatworks/" + "a" * 1025,
]


@pytest.mark.parametrize("uri", HOSTILE)
def test_a_hostile_address_is_refused_when_it_is_applied(splatjob_cluster: KubeCluster, uri: str):
    with pytest.raises(ApiError) as refused:
        Jobs(splatjob_cluster, "default").create("hostile", source={"uri": uri})
    assert refused.value.code == 422
    assert "spec.source.uri" in str(refused.value)


def all_that_is_told(jobs: Jobs, platform: Platform, operator: Operator, *names: str) -> str:
    """Everything that somebody who may not read Secrets can read of these jobs."""
    told = [json.dumps([job := jobs.get(name), jobs.events(name, job["status"]["phase"])]) for name in names]
    return "\n".join([*told, operator.log, operator.scrape(), *(worker.log for worker in platform.workers)])


def test_a_secret_opens_the_source_and_is_told_nowhere(jobs: Jobs, platform: Platform, operator: Operator):
    make_secret(
        jobs, ALLOWED, access_key=platform.store.access_key, secret_key=platform.store.secret_key + "\n"
    )
    jobs.create("studio", source=source(ALLOWED), publish={"enabled": False}, cachePolicy="Never")
    jobs.until_phase("studio", "Succeeded")
    told = all_that_is_told(jobs, platform, operator, "studio")
    for key in (platform.store.access_key, platform.store.secret_key):
        assert key not in told
        assert base64.b64encode(key.encode()).decode() not in told


def test_a_secret_of_no_use_is_named_and_its_content_told_nowhere(
    jobs: Jobs, platform: Platform, operator: Operator
):
    make_secret(jobs, USELESS, access_key="half-of-it-0123456789")
    make_secret(jobs, WRONG, access_key="somebody-else-0123456789", secret_key=WRONG_SECRET)
    words = {
        MISSING: f"no Secret {MISSING}",
        USELESS: f"Secret {USELESS} needs the keys access-key and secret-key",
        WRONG: "does not accept them",
    }
    for name in words:
        jobs.create(name, source=source(name), cachePolicy="Never")
    for name, why in words.items():
        job = jobs.until_phase(name, "Failed")
        assert why in job["status"]["message"]
        assert stage(job, "sfm")["attempt"] == 1
    told = all_that_is_told(jobs, platform, operator, *words)
    for key in ("half-of-it-0123456789", WRONG_SECRET):
        assert key not in told
        assert base64.b64encode(key.encode()).decode() not in told
