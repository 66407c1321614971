"""What may be changed of a job that exists, and what may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from splatworks_operator.crd.definition import schema
from tests.integration.crd.splatjobs import SOURCE, SplatJobs
from tests.kube.cluster import ApiError

pytestmark = pytest.mark.kube

RULES = [{"onReasons": ["OutOfMemory"], "action": "FailJob"}]

IMMUTABLE: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "source": [
        ({}, {"source": {"uri": "s3://splatworks/photos/other/"}}),
        ({}, {"source": {"secretRef": {"name": "mine"}}}),
        ({"source": {**SOURCE, "secretRef": {"name": "mine"}}}, {"source": {"secretRef": None}}),
    ],
    "output": [
        ({}, {"output": {"uri": "s3://splatworks/elsewhere"}}),
        ({"output": {"uri": "s3://splatworks/elsewhere"}}, {"output": None}),
    ],
    "profile": [({}, {"profile": "Draft"}), ({"profile": "Draft"}, {"profile": None})],
    "sfm": [({}, {"sfm": {"maxFeatures": 1000}}), ({"sfm": {"timeoutSeconds": 60}}, {"sfm": None})],
    "train": [
        ({}, {"train": {"targetPsnr": 30}}),
        ({"train": {"targetPsnr": 30}}, {"train": {"targetPsnr": None}}),
        ({"train": {"maxGaussians": 1000}}, {"train": {"maxGaussians": 2000}}),
        ({}, {"train": {"plateau": {"patience": 3}}}),
        ({}, {"train": {"resolutionSchedule": [{"size": 1, "start": 0}]}}),
    ],
    "compress": [({}, {"compress": {"quality": "High"}})],
    "publish": [({}, {"publish": {"title": "A fox"}}), ({}, {"publish": {"enabled": False}})],
    "activeDeadlineSeconds": [
        ({}, {"activeDeadlineSeconds": 60}),
        ({"activeDeadlineSeconds": 60}, {"activeDeadlineSeconds": 61}),
        ({"activeDeadlineSeconds": 60}, {"activeDeadlineSeconds": None}),
    ],
    "queueDeadlineSeconds": [
        ({}, {"queueDeadlineSeconds": 60}),
        ({"queueDeadlineSeconds": 60}, {"queueDeadlineSeconds": 61}),
        ({"queueDeadlineSeconds": 60}, {"queueDeadlineSeconds": None}),
    ],
    "failurePolicy": [
        ({}, {"failurePolicy": {"maxAttemptsPerStage": 1}}),
        ({}, {"failurePolicy": {"rules": RULES}}),
        ({"failurePolicy": {"rules": RULES}}, {"failurePolicy": {"rules": None}}),
    ],
    "cachePolicy": [({}, {"cachePolicy": "Never"})],
}
"""What a job had and what somebody tries to make of it, by the field that must not change."""

MUTABLE: dict[str, list[Any]] = {
    "suspend": [True, False],
    "terminate": [True],
    "priority": [10, -10],
    "ttlSecondsAfterFinished": [60, 120, None],
    "artifactPolicy": [{"onDelete": "Retain"}, {"intermediates": "Delete", "forceFinalizerRemoval": True}],
}
"""The values that a field takes one after another."""


@pytest.mark.parametrize(
    ("field", "before", "change"),
    [(field, before, change) for field, cases in IMMUTABLE.items() for before, change in cases],
)
def test_a_field_that_decides_the_work_can_not_be_changed(
    splatjobs: SplatJobs, field: str, before: dict[str, Any], change: dict[str, Any]
) -> None:
    job = splatjobs.create(before)

    with pytest.raises(ApiError) as refusal:
        splatjobs.change(job["metadata"]["name"], change)

    assert f"spec.{field}: Forbidden: can not be changed: create a new SplatJob" in str(refusal.value)


@pytest.mark.parametrize("field", MUTABLE)
def test_a_mutable_field_can_be_changed(splatjobs: SplatJobs, field: str) -> None:
    name = splatjobs.create()["metadata"]["name"]

    for value in MUTABLE[field]:
        changed = splatjobs.change(name, {field: value})["spec"].get(field)

        assert changed == value or (isinstance(value, dict) and value.items() <= changed.items())


def test_the_tables_above_leave_no_field_out() -> None:
    assert IMMUTABLE.keys() | MUTABLE.keys() == schema()["properties"]["spec"]["properties"].keys()


def test_termination_can_not_be_taken_back(splatjobs: SplatJobs) -> None:
    job = splatjobs.create({"terminate": True})

    for value in (False, None):
        with pytest.raises(ApiError, match=r"spec\.terminate: Forbidden: can not be taken back"):
            splatjobs.change(job["metadata"]["name"], {"terminate": value})


def test_a_terminated_job_can_still_be_given_a_time_to_live(splatjobs: SplatJobs) -> None:
    name = splatjobs.create({"terminate": True})["metadata"]["name"]

    assert splatjobs.change(name, {"ttlSecondsAfterFinished": 60})["spec"]["terminate"] is True


def test_a_job_applied_again_as_it_was_is_taken(splatjobs: SplatJobs, tmp_path: Path) -> None:
    manifest = tmp_path / "job.yaml"
    manifest.write_text(
        "apiVersion: splatworks.dev/v1alpha1\nkind: SplatJob\nmetadata: {name: fox}\n"
        "spec: {source: {uri: s3://splatworks/photos/fox/}}\n"
    )
    cluster = splatjobs.cluster
    cluster.kubectl("apply", f"-f={manifest}", namespace=splatjobs.namespace)

    assert "unchanged" in cluster.kubectl("apply", f"-f={manifest}", namespace=splatjobs.namespace)
