"""The whole way on a real node: install, apply, watch, look at the scene, and lose a pod meanwhile."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import NAMESPACE
from tests.cluster.node import Node

JOB_SECONDS = 1500
STAGES = ["sfm", "train", "compress", "publish"]
SPLATWORKS = Path(sys.executable).with_name("splatworks")

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


def test_the_example_becomes_a_scene(finished: dict[str, Any]) -> None:
    status = finished["status"]

    assert status["phase"] == "Succeeded", status
    assert [entry["state"] for entry in status["stages"]] == ["Succeeded"] * 4
    assert status["result"]["numGaussians"] > 10_000
    assert float(status["result"]["psnr"]) > 20.0


def test_every_pod_is_ready_and_was_never_started_again(release: Node, finished: dict[str, Any]) -> None:
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


def test_the_watch_shows_every_stage_and_how_it_ended(finished: dict[str, Any], records: Path) -> None:
    header, *lines = [line.split() for line in (records / "watch.txt").read_text().splitlines()]

    assert header[:4] == ["NAME", "PHASE", "STAGE", "PROGRESS"]
    shown = [line[1:3] for line in lines if len(line) > 2]  # at first it has a name and an age
    assert list(dict.fromkeys(stage for phase, stage in shown if phase == "Running")) == STAGES
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


def test_the_logs_of_a_job_are_those_of_its_pods(
    release: Node, finished: dict[str, Any], records: Path
) -> None:
    said = release.run(SPLATWORKS, "logs", "sample", f"--namespace={NAMESPACE}")
    (records / "logs.txt").write_text(said)

    assert [name for name in STAGES if f" {name} " not in said] == []


def test_photos_of_this_machine_become_a_job_through_a_forwarded_port(
    release: Node, repository: Path
) -> None:
    with forwarded_store(release) as flags:
        photos = repository / "examples" / "capture"
        said = release.run(SPLATWORKS, "submit", photos, "--name=submitted", *flags, timeout=120)
    job = release.wait_until(
        is_training_beyond(0), "splatjob", "submitted", namespace=NAMESPACE, seconds=JOB_SECONDS
    )
    release.kubectl("delete", "splatjob", "submitted", namespace=NAMESPACE)

    assert "submitted created" in said
    assert stage(job, "sfm")["state"] == "Succeeded"


@dataclass(frozen=True)
class Interruption:
    """A job whose trainer pod was deleted.

    Attributes:
        before: The job just before that.
        again: The job once the second attempt had told how far it was.
        after: The job at its end.
        steps: The lines of its training.log.
    """

    before: dict[str, Any]
    again: dict[str, Any]
    after: dict[str, Any]
    steps: list[dict[str, Any]]


@pytest.fixture(scope="module")
def interrupted(release: Node, photos: None, records: Path) -> Interruption:
    """A job that lost its trainer pod; ``interrupted.txt`` and ``first-trainer.log`` tell the story."""
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
    where = f"--namespace={NAMESPACE}"
    with release.recording(records / "interrupted.txt", "get", "splat", "interrupted", "-w", where):
        before = release.wait_until(
            is_training_beyond(30), "splatjob", "interrupted", namespace=NAMESPACE, seconds=JOB_SECONDS
        )
        pod = stage(before, "train")["worker"]["name"]
        with release.recording(records / "first-trainer.log", "logs", "--follow", pod, where):
            release.run("kubectl", "delete", "pod", pod, where, timeout=180)
        again = release.wait_until(
            lambda job: stage(job, "train")["attempt"] == 2 and trained(job) > 0,
            *("splatjob", "interrupted"),
            namespace=NAMESPACE,
            seconds=300,
        )
        after = release.wait_until(
            is_over, "splatjob", "interrupted", namespace=NAMESPACE, seconds=JOB_SECONDS
        )
    for name, job in (("before", before), ("again", again), ("after", after)):
        (records / f"interrupted-{name}.json").write_text(json.dumps(job, indent=1))
    with forwarded_store(release) as flags:
        folder = records / "interrupted"
        release.run(SPLATWORKS, "download", "interrupted", "--stage=train", f"--out={folder}", *flags)
    (log,) = folder.rglob("training.log")
    return Interruption(before, again, after, [json.loads(line) for line in log.read_text().splitlines()])


def test_a_training_whose_pod_is_deleted_continues_on_another(interrupted: Interruption) -> None:
    first, second = stage(interrupted.before, "train"), stage(interrupted.after, "train")

    assert interrupted.after["status"]["phase"] == "Succeeded", interrupted.after["status"]
    assert second["worker"]["name"] != first["worker"]["name"]
    assert (second["countedAttempts"], second["uncountedAttempts"]) == (0, 1)


def test_a_training_whose_pod_is_deleted_repeats_nothing_that_was_reported(interrupted: Interruption) -> None:
    (resumed,) = [line for line in interrupted.steps if line["event"] == "resume"]

    assert resumed["step"] >= stage(interrupted.before, "train")["progress"]["done"]
    assert trained(interrupted.again) >= trained(interrupted.before)


@contextmanager
def forwarded_store(release: Node) -> Iterator[list[str]]:
    """The flags with which the command line tool reaches the release from this machine."""
    with release.port_forward("service/splatworks-store", 8333, namespace=NAMESPACE) as port:
        secret = f"--store-secret={NAMESPACE}/splatworks-store-keys"
        yield [f"--store-url=https://127.0.0.1:{port}", secret, f"--namespace={NAMESPACE}"]


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
