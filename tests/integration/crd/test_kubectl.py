"""What a person sees of SplatJobs through kubectl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from splatworks_operator.crd.definition import schema
from tests.integration.crd.splatjobs import SplatJobs
from tests.kube.cluster import KubeCluster

pytestmark = pytest.mark.kube

RUNNING = {
    "phase": "Running",
    "currentStage": "train",
    "progressPercent": 42,
    "result": {"registeredImages": 48, "totalImages": 50},
}
SUCCEEDED = {
    "phase": "Succeeded",
    "progressPercent": 100,
    "result": {"registeredImages": 50, "psnr": "27.31", "compressionRatio": "16.9"},
}
FAILED = {
    "phase": "Failed",
    "currentStage": "sfm",
    "progressPercent": 3,
    "conditions": [
        {
            "type": "Accepted",
            "status": "True",
            "reason": "Valid",
            "message": "The platform allows the spec.",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        },
        {
            "type": "Failed",
            "status": "True",
            "reason": "TooFewImages",
            "message": "2 photos are too few.",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        },
    ],
}


@pytest.fixture
def three_jobs(splatjobs: SplatJobs) -> SplatJobs:
    for name, status in (("fox", RUNNING), ("garden", SUCCEEDED), ("kitchen", FAILED)):
        splatjobs.create(name=name)
        splatjobs.write_status(name, status)
    return splatjobs


def table(jobs: SplatJobs, *words: str) -> dict[str, dict[str, str]]:
    """What ``kubectl get`` prints: name to column to cell, empty cells too."""
    heading, *rows = jobs.cluster.kubectl("get", *words, namespace=jobs.namespace).splitlines()
    starts = [(found[0], found.start()) for found in re.finditer(r"\S+", heading)]
    ends = [start for _, start in starts[1:]] + [None]
    cells = [
        {name: row[start:end].strip() for (name, start), end in zip(starts, ends, strict=True)}
        for row in rows
    ]
    return {row["NAME"]: row for row in cells}


def test_get_shows_phase_stage_progress_and_age(three_jobs: SplatJobs) -> None:
    rows = table(three_jobs, "splat")

    assert list(rows["fox"]) == ["NAME", "PHASE", "STAGE", "PROGRESS", "AGE"]
    assert [row["PHASE"] for row in rows.values()] == ["Running", "Succeeded", "Failed"]
    assert (rows["fox"]["STAGE"], rows["fox"]["PROGRESS"]) == ("train", "42")
    assert (rows["garden"]["STAGE"], rows["garden"]["PROGRESS"]) == ("", "100")
    assert re.fullmatch(r"\d+m?s", rows["fox"]["AGE"])


def test_get_wide_also_shows_images_quality_ratio_and_reason(three_jobs: SplatJobs) -> None:
    rows = table(three_jobs, "splat", "-o=wide")
    wide = {
        name: [row[column] for column in ("IMAGES", "PSNR", "RATIO", "REASON")] for name, row in rows.items()
    }

    assert wide == {
        "fox": ["48", "", "", ""],
        "garden": ["50", "27.31", "16.9", ""],
        "kitchen": ["", "", "", "TooFewImages"],
    }


@pytest.mark.parametrize(
    "name", ["splatjobs", "splatjob", "splat", "splatworks", "splatjobs.v1alpha1.splatworks.dev"]
)
def test_jobs_are_found_under_each_of_their_names(three_jobs: SplatJobs, name: str) -> None:
    assert table(three_jobs, name).keys() == {"fox", "garden", "kitchen"}


def test_get_all_shows_jobs_among_the_rest(three_jobs: SplatJobs) -> None:
    assert "splatjob.splatworks.dev/fox" in three_jobs.cluster.kubectl(
        "get", "all", "-o=name", namespace=three_jobs.namespace
    )


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("status.phase=Running", {"fox"}),
        ("status.phase!=Running", {"garden", "kitchen"}),
        ("status.phase=Queued", set()),
    ],
)
def test_jobs_are_selected_by_phase_on_the_server(
    three_jobs: SplatJobs, selector: str, names: set[str]
) -> None:
    found = three_jobs.cluster.request(
        "GET", f"{three_jobs.path}?fieldSelector={selector.replace('!', '%21')}"
    )

    assert {job["metadata"]["name"] for job in found["items"]} == names


def test_wait_ends_when_a_condition_holds(three_jobs: SplatJobs) -> None:
    words = ("wait", "--for=condition=Failed", "--timeout=10s", "splat/kitchen")

    assert "condition met" in three_jobs.cluster.kubectl(*words, namespace=three_jobs.namespace)


def objects(of: dict[str, Any], path: str) -> Iterator[tuple[str, set[str]]]:
    """The path of every object in a schema, and the names of its fields."""
    if "properties" in of:
        yield path, set(of["properties"])
    for name, field in of.get("properties", {}).items():
        yield from objects(field.get("items", field), f"{path}.{name}")


@pytest.mark.parametrize(("path", "fields"), [*objects(schema(), "splatjob")])
def test_explain_describes_every_field(splatjob_cluster: KubeCluster, path: str, fields: set[str]) -> None:
    described = explained(splatjob_cluster.kubectl("explain", path))

    assert described.keys() == fields
    assert [name for name, text in described.items() if not text] == []


def explained(text: str) -> dict[str, str]:
    """The fields that ``kubectl explain`` prints, with their descriptions."""
    fields = re.split(r"^  (\w+)\t<.*>.*\n", text.partition("FIELDS:\n")[2], flags=re.MULTILINE)
    descriptions = (
        re.sub(r"^ +enum: .*\n", "", field, count=1, flags=re.MULTILINE) for field in fields[2::2]
    )
    return dict(zip(fields[1::2], (text.strip() for text in descriptions), strict=True))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("splatjob", "Photos in, a 3D Gaussian-splat scene out"),
        ("splatjob.spec.train", "How Gaussians are fitted to the photos"),
        ("splatjob.spec.train.maxGaussians", "The budget of Gaussians, never exceeded. Default 280,000"),
        ("splatjob.spec.suspend", "May be changed while the job lives"),
        ("splatjob.spec.failurePolicy.rules.onReasons", "The reasons that the rule is for"),
        ("splatjob.status.phase", "Where the job stands, in one word"),
    ],
)
def test_explain_teaches(splatjob_cluster: KubeCluster, path: str, words: str) -> None:
    text = splatjob_cluster.kubectl("explain", path)

    assert words in re.sub(r"\s+", " ", text)
