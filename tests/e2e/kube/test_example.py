"""The least a person can say, ``examples/splatjob.yaml`` as it stands: from ``kubectl apply`` to a page."""

from __future__ import annotations

import hashlib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.kube.jobs import Jobs, Resource, stage
from tests.e2e.kube.operators import Addresses, Operator, own_namespace
from tests.e2e.kube.platform import PHOTO_COUNT, STAGES, Platform
from tests.kube.cluster import KubeCluster

pytestmark = [pytest.mark.kube, pytest.mark.timeout(420)]

SECONDS = 360.0


@dataclass(frozen=True)
class Finished:
    """The example's job at its end, while its operator still runs."""

    job: Resource
    jobs: Jobs
    operator: Operator


@pytest.fixture(scope="module")
def finished(
    splatjob_cluster: KubeCluster,
    platform: Platform,
    shared_addresses: Addresses,
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Finished]:
    """The job that several tests look at."""
    folder = tmp_path_factory.mktemp("example") / "operator"
    with own_namespace(splatjob_cluster, platform, folder, shared_addresses) as (jobs, operator):
        splatjob_cluster.kubectl(
            "apply", f"--filename={repository / 'examples' / 'splatjob.yaml'}", namespace=jobs.namespace
        )
        yield Finished(jobs.until_phase("sample", "Succeeded", seconds=SECONDS), jobs, operator)


def fetched(platform: Platform, path: str) -> bytes:
    with urllib.request.urlopen(platform.url(path), timeout=10) as answer:
        assert answer.status == 200
        return bytes(answer.read())


def test_every_stage_succeeded_at_the_first_attempt(finished: Finished, platform: Platform):
    stages = finished.job["status"]["stages"]
    assert [one["name"] for one in stages] == list(STAGES)
    assert {(one["state"], one["attempt"]) for one in stages} == {("Succeeded", 1)}
    assert platform.started(finished.job["metadata"]["uid"]) == {
        f"{finished.job['metadata']['uid']}.{name}.1": 1 for name in STAGES
    }


def test_the_status_says_that_all_is_done(finished: Finished):
    status = finished.job["status"]
    assert status["progressPercent"] == 100
    assert status["message"] == f"The scene is ready: {status['result']['viewerURL']}"
    assert "currentStage" not in status
    assert {one["type"]: one["status"] for one in status["conditions"]} == {
        "Accepted": "True",
        "Admitted": "True",
        "Complete": "True",
    }
    assert status["observedGeneration"] == finished.job["metadata"]["generation"]
    assert status["startTime"] <= status["completionTime"]


def test_the_result_has_the_figures_that_people_ask_for(finished: Finished):
    result = finished.job["status"]["result"]
    assert result["registeredImages"] == result["totalImages"] == PHOTO_COUNT
    assert result["numGaussians"] > 1000
    assert float(result["psnr"]) > 12
    assert 0 < float(result["ssim"]) < 1
    assert float(result["compressionRatio"]) > 10
    assert result["uri"] == f"s3://splatworks/jobs/{finished.job['metadata']['uid']}"


def test_there_is_one_event_for_each_transition(finished: Finished):
    events = [
        (event["type"], event["reason"], event["message"])
        for event in finished.jobs.events("sample", "Succeeded")
    ]
    assert [(kind, reason) for kind, reason, _ in events] == [
        *[("Normal", "StageStarted")] * len(STAGES),
        ("Normal", "Succeeded"),
    ]
    assert all(
        f"{name} started on " in message for name, (_, _, message) in zip(STAGES, events, strict=False)
    )


def test_kubectl_get_says_it_in_one_line(finished: Finished):
    head, line = finished.jobs.cluster.kubectl("get", "splat", namespace=finished.jobs.namespace).splitlines()
    assert head.split() == ["NAME", "PHASE", "STAGE", "PROGRESS", "AGE"]
    assert line.split()[:3] == ["sample", "Succeeded", "100"]


def test_the_viewer_shows_the_scene_that_was_compressed(finished: Finished, platform: Platform):
    url = finished.job["status"]["result"]["viewerURL"]
    assert b"<title>" in fetched(platform, url)
    outputs = {one["name"]: one for one in stage(finished.job, "compress")["outputs"]}
    scene = fetched(platform, f"{url}scene.sog")
    assert hashlib.sha256(scene).hexdigest() == outputs["scene.sog"]["sha256"]


def test_the_operator_did_it_without_a_right_that_it_lacks(finished: Finished):
    assert "forbidden" not in finished.operator.log.lower()
    assert '"level": "error"' not in finished.operator.log
