"""The whole way on a real node: install, apply, watch, look at the scene, and lose a pod meanwhile."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import NAMESPACE
from tests.cluster.node import Node

JOB_SECONDS = 1500
STAGES = ["sfm", "train", "compress", "publish"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(JOB_SECONDS + 900)]


@pytest.fixture(scope="module")
def photos(release: Node) -> None:
    """The sample capture, where the examples expect photos."""
    upload = ("splatworks", "upload", "/opt/splatworks/sample", "s3://splatworks/photos/sample/")
    release.kubectl("exec", "deploy/splatworks-operator", "--", *upload, namespace=NAMESPACE)


@pytest.fixture(scope="module")
def finished(release: Node, photos: None, repository: Path, records: Path) -> dict[str, Any]:
    """``examples/splatjob.yaml`` once over; ``watch.txt`` holds what ``kubectl get splat -w`` showed."""
    with release.recording(records / "watch.txt", "get", "splat", "-w", f"--namespace={NAMESPACE}"):
        release.kubectl("apply", f"--filename={repository}/examples/splatjob.yaml", namespace=NAMESPACE)
        job = release.wait_until(is_over, "splatjob", "sample", namespace=NAMESPACE, seconds=JOB_SECONDS)
    (records / "sample.json").write_text(json.dumps(job, indent=1))
    return job


def is_over(job: Mapping[str, Any]) -> bool:
    return job.get("status", {}).get("phase") in ("Succeeded", "Failed")


def stage(job: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        entry for entry in job.get("status", {}).get("stages", []) if entry["name"] == name
    )
    return found


def test_every_pod_is_ready_and_was_never_started_again(release: Node) -> None:
    pods = json.loads(release.kubectl("get", "pods", "-o=json", namespace=NAMESPACE))["items"]
    states = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]: (
            container["ready"],
            container["restartCount"],
        )
        for pod in pods
        for container in pod["status"]["containerStatuses"]
    }

    components = {"sfm", "trainer", "compressor", "streamer", "operator", "store"}
    assert states == dict.fromkeys(components, (True, 0))


def test_the_example_becomes_a_scene(finished: dict[str, Any]) -> None:
    status = finished["status"]

    assert status["phase"] == "Succeeded", status
    assert [entry["state"] for entry in status["stages"]] == ["Succeeded"] * 4
    assert status["result"]["numGaussians"] > 10_000
    assert float(status["result"]["psnr"]) > 20.0


def test_the_watch_shows_every_stage_and_how_it_ended(finished: dict[str, Any], records: Path) -> None:
    header, *lines = (records / "watch.txt").read_text().splitlines()

    assert header.split()[:4] == ["NAME", "PHASE", "STAGE", "PROGRESS"]
    shown = [line.split()[1:3] for line in lines]
    assert [name for name in dict.fromkeys(entry[1] for entry in shown) if name in STAGES] == STAGES
    assert shown[-1][0] == "Succeeded"


def test_progress_never_goes_back(finished: dict[str, Any], records: Path) -> None:
    lines = (records / "watch.txt").read_text().splitlines()[1:]
    percent = [int(line.split()[3]) for line in lines if line.split()[1] == "Running"]

    assert len(percent) > 5
    assert percent == sorted(percent)


def test_the_viewer_shows_the_scene(release: Node, finished: dict[str, Any]) -> None:
    port = release.forward(f"{NAMESPACE}/splatworks-streamer-http:80")
    path = finished["status"]["result"]["viewerURL"]

    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        page = answer.read().decode()

    assert answer.status == 200
    assert "<html" in page.lower()


def test_a_training_whose_pod_is_deleted_continues_on_another(
    release: Node, photos: None, records: Path
) -> None:
    release.create(
        {
            "apiVersion": "splatworks.dev/v1alpha1",
            "kind": "SplatJob",
            "metadata": {"name": "interrupted"},
            "spec": {
                "source": {"uri": "s3://splatworks/photos/sample/"},
                "train": {"seed": 1},  # another training than the example's, of the same cameras
            },
        },
        namespace=NAMESPACE,
    )
    watch = ("get", "splat", "interrupted", "-w", f"--namespace={NAMESPACE}")
    with release.recording(records / "interrupted.txt", *watch):
        training = release.wait_until(
            is_training_beyond(30), "splatjob", "interrupted", namespace=NAMESPACE, seconds=JOB_SECONDS
        )
        first = stage(training, "train")
        release.run(
            *("kubectl", "delete", "pod", first["worker"]["name"], f"--namespace={NAMESPACE}"), timeout=180
        )
        again = release.wait_until(
            lambda job: stage(job, "train")["attempt"] == 2 and trained(job) > 0,
            *("splatjob", "interrupted"),
            namespace=NAMESPACE,
            seconds=300,
        )
        job = release.wait_until(is_over, "splatjob", "interrupted", namespace=NAMESPACE, seconds=JOB_SECONDS)
    (records / "interrupted.json").write_text(json.dumps(job, indent=1))

    second = stage(job, "train")
    assert job["status"]["phase"] == "Succeeded", job["status"]
    assert second["worker"]["name"] != first["worker"]["name"]
    assert (second["countedAttempts"], second["uncountedAttempts"]) == (0, 1)
    assert trained(again) >= 20, "it began anew"


def trained(job: Mapping[str, Any]) -> int:
    """How far the current attempt at training is, in percent."""
    return int(stage(job, "train").get("progress", {}).get("percent", 0))


def is_training_beyond(percent: int) -> Callable[[Mapping[str, Any]], bool]:
    def beyond(job: Mapping[str, Any]) -> bool:
        assert not is_over(job), job["status"]
        return job.get("status", {}).get("currentStage") == "train" and trained(job) >= percent

    return beyond


def test_helm_test_turns_the_sample_into_a_scene(release: Node) -> None:
    answer = release.run(
        *("helm", "test", "splatworks", f"--namespace={NAMESPACE}", f"--timeout={JOB_SECONDS}s"),
        timeout=JOB_SECONDS + 30,
    )

    assert "Succeeded" in answer
