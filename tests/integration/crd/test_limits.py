"""Every limit of the spec, on both of its sides: the last value that is taken and the first that is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from splatworks_operator.crd.definition import schema
from splatworks_operator.spec import SplatJobSpec
from tests.integration.crd.splatjobs import SOURCE, SplatJobs, nested
from tests.kube.cluster import ApiError

pytestmark = pytest.mark.kube

MONTH = 2_592_000
YEAR = 31_536_000

RULE = {"onReasons": ["Internal"], "action": "FailJob"}

NUMBERS = {
    "sfm.maxFeatureSize": (256, 8192),
    "sfm.maxFeatures": (256, 65_536),
    "sfm.seed": (0, 2**31 - 1),
    "sfm.timeoutSeconds": (1, MONTH),
    "train.maxSteps": (0, 200_000),
    "train.maxGaussians": (100, 10_000_000),
    "train.maxImageSide": (32, 8192),
    "train.shDegree": (0, 3),
    "train.plateau.patience": (0, 1000),
    "train.plateau.minDelta": (0, 10),
    "train.densify.start": (0, 1),
    "train.densify.until": (0, 1),
    "train.densify.rounds": (0, 1000),
    "train.densify.growGradient": (1e-6, 1),
    "train.densify.splitScale": (1e-5, 1),
    "train.prune.opacity": (0, 0.5),
    "train.prune.significance": (0, 0.5),
    "train.ssimWeight": (0, 1),
    "train.polish": (0, 1),
    "train.targetPsnr": (5, 100),
    "train.holdOutEvery": (0, 1000),
    "train.seed": (0, 2**31 - 1),
    "train.checkpointSeconds": (5, 3600),
    "train.timeoutSeconds": (1, MONTH),
    "compress.timeoutSeconds": (1, MONTH),
    "publish.timeoutSeconds": (1, MONTH),
    "priority": (-1000, 1000),
    "activeDeadlineSeconds": (1, MONTH),
    "queueDeadlineSeconds": (1, MONTH),
    "ttlSecondsAfterFinished": (0, YEAR),
    "failurePolicy.maxAttemptsPerStage": (1, 10),
    "failurePolicy.maxUncountedAttemptsPerStage": (0, 1000),
    "failurePolicy.backoff.initialSeconds": (0, 3600),
    "failurePolicy.backoff.factor": (1, 10),
    "failurePolicy.backoff.maxSeconds": (0, 86_400),
}
"""The least and the greatest value of every number."""

ENUMS = {
    "profile": {"Draft", "Standard", "High"},
    "sfm.matching": {"Auto", "Exhaustive", "Sequential"},
    "train.engine": {"Auto", "Native", "Gsplat"},
    "train.strategy": {"Auto", "Adc", "Mcmc"},
    "train.plateau.metric": {"Psnr", "CoveredPsnr", "Ssim"},
    "train.background": {"Black", "White", "Random"},
    "train.holdout": {"Auto", "EveryN", "None"},
    "compress.quality": {"High", "Default", "Small"},
    "artifactPolicy.intermediates": {"Delete", "Retain"},
    "artifactPolicy.onDelete": {"Delete", "Retain"},
    "cachePolicy": {"Reuse", "Never"},
}
"""The values of every choice."""

BESIDE = {
    "train.densify.start": {"train": {"densify": {"until": 1}}},
    "train.densify.until": {"train": {"densify": {"start": 0}}},
    "failurePolicy.backoff.initialSeconds": {"failurePolicy": {"backoff": {"maxSeconds": 86_400}}},
    "failurePolicy.backoff.maxSeconds": {"failurePolicy": {"backoff": {"initialSeconds": 0}}},
}
"""What must be set along with a field, so that nothing else is wrong."""

FULL_SIZE = {"size": 1, "start": 0}


def levels(count: int) -> list[dict[str, float]]:
    """So many levels of a resolution schedule."""
    return [{"size": (n + 1) / count, "start": n / count} for n in range(count)]


LONGEST_URI = "s3://bucket/" + "k" * 1012
LONGEST_OUTPUT = "s3://bucket/" + "k" * 500

TEXTS_AND_LISTS: dict[str, tuple[tuple[Any, ...], tuple[tuple[Any, str], ...]]] = {
    "source.uri": (
        ("s3://abc/k", "s3://bucket/a/b-c_d.e/", "s3://bucket/photos.zip", LONGEST_URI),
        (
            ("s3://bucket/", "should match"),
            ("s3://bucket", "should match"),
            ("s3://ab/k", "should match"),
            ("s3://under_score/k", "should match"),
            ("s3://with.dot/k", "should match"),
            ("https://bucket/k", "should match"),
            ("/etc/passwd", "should match"),
            ("s3://bucket/a//b", "should match"),
            ("s3://bucket//a", "should match"),
            ("s3://bucket/a b", "should match"),
            ("s3://user:password@bucket/a", "should match"),
            (LONGEST_URI + "k", "may not be more than 1024"),
        ),
    ),
    "source.secretRef.name": (
        ("s", "my-secret.v2", "s" * 253),
        (
            ("", "at least 1 char"),
            ("Secret", "should match"),
            ("../secret", "should match"),
            ("s" * 254, "may not be more than 253"),
        ),
    ),
    "output.uri": (
        ("s3://bucket", "s3://bucket/", "s3://bucket/results/", LONGEST_OUTPUT),
        (
            ("file:///tmp", "should match"),
            ("s3://bucket/a//b", "should match"),
            (LONGEST_OUTPUT + "k", "may not be more than 512"),
        ),
    ),
    "publish.title": (
        ("t", "Füchse 🦊" + "t" * 192),
        (("", "at least 1 char"), ("t" * 201, "may not be more than 200")),
    ),
    "train.shSchedule": (
        ([0], [1], [0, 0.5, 1]),
        (
            ([], "should have at least 1 items"),
            ([0, 0.1, 0.2, 0.3], "must have at most 3 items"),
            ([-0.1], "greater than or equal to 0"),
            ([1.1], "less than or equal to 1"),
            (["early"], "must be of type"),
        ),
    ),
    "train.resolutionSchedule": (
        ([FULL_SIZE], levels(8)),
        (
            ([], "should have at least 1 items"),
            (levels(9), "must have at most 8 items"),
            ([{**FULL_SIZE, "size": 1.1}], "less than or equal to 1"),
            ([{**FULL_SIZE, "size": -1}, FULL_SIZE], "greater than or equal to 0"),
            ([{**FULL_SIZE, "start": 1.1}], "less than or equal to 1"),
            ([{**FULL_SIZE, "start": -1}], "greater than or equal to 0"),
            ([{"size": 1}], "start: Required value"),
            ([{"start": 0}], "size: Required value"),
        ),
    ),
    "failurePolicy.rules": (
        ([], [RULE] * 16),
        (
            ([RULE] * 17, "must have at most 16 items"),
            ([{**RULE, "onReasons": []}], "should have at least 1 items"),
            ([{**RULE, "onReasons": ["Internal", "Internal"]}], "Duplicate value"),
            ([{**RULE, "onReasons": ["BadLuck"]}], "Unsupported value"),
            ([{**RULE, "onReasons": ["Internal"] * 17}], "must have at most 16 items"),
            ([{**RULE, "action": "Panic"}], "Unsupported value"),
            ([{"onReasons": ["Internal"]}], "action: Required value"),
            ([{"action": "FailJob"}], "onReasons: Required value"),
        ),
    ),
}
"""Values that are taken, and values that are refused with a part of the message."""

WITHOUT_COUNTERPART = {"Duplicate value"}
"""What only the API server minds: naming a reason twice harms nobody."""


def spec_with(path: str, value: object) -> dict[str, Any]:
    spec: dict[str, Any] = {"source": SOURCE}
    if path == "source.secretRef.name":
        return {"source": {**SOURCE, "secretRef": {"name": value}}}
    return merged(merged(spec, BESIDE.get(path, {})), nested(path, value))


def merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: merged(left[key], right[key])
        for key in left.keys() & right.keys()
        if isinstance(left[key], dict) and isinstance(right[key], dict)
    }
    return {**left, **right, **both}


def accepted() -> Iterator[Any]:
    for path, (low, high) in NUMBERS.items():
        yield from (pytest.param(path, value, id=f"{path}={value}") for value in (low, high))
    for path, choices in ENUMS.items():
        yield from (pytest.param(path, value, id=f"{path}={value}") for value in sorted(choices))
    for path, (good, _) in TEXTS_AND_LISTS.items():
        yield from (pytest.param(path, value, id=f"{path}-{n}") for n, value in enumerate(good))


def refused() -> Iterator[Any]:
    for path, (low, high) in NUMBERS.items():
        yield pytest.param(path, low - 1, f"greater than or equal to {low}", id=f"{path}={low - 1}")
        yield pytest.param(path, high + 1, f"less than or equal to {high}", id=f"{path}={high + 1}")
        yield pytest.param(path, "many", "must be of type", id=f"{path}=many")
    for path in ENUMS:
        yield pytest.param(path, "Other", "Unsupported value", id=f"{path}=Other")
    for path, (_, bad) in TEXTS_AND_LISTS.items():
        yield from (pytest.param(path, value, why, id=f"{path}-{n}") for n, (value, why) in enumerate(bad))


@pytest.mark.parametrize(("path", "value"), [*accepted()])
def test_a_value_within_its_limits_is_taken(verdicts: SplatJobs, path: str, value: object) -> None:
    spec = spec_with(path, value)

    verdicts.create(spec, dry_run=True)
    SplatJobSpec.model_validate(spec)


@pytest.mark.parametrize(("path", "value", "why"), [*refused()])
def test_a_value_beyond_its_limits_is_refused(
    verdicts: SplatJobs, path: str, value: object, why: str
) -> None:
    spec = spec_with(path, value)

    with pytest.raises(ApiError) as refusal:
        verdicts.create(spec, dry_run=True)

    assert refusal.value.code == 422
    assert f"spec.{path}" in str(refusal.value)
    assert why in str(refusal.value)
    if why not in WITHOUT_COUNTERPART:
        with pytest.raises(ValidationError):
            SplatJobSpec.model_validate(spec)


def test_the_tables_above_leave_no_field_out() -> None:
    assert NUMBERS.keys() | ENUMS.keys() | TEXTS_AND_LISTS.keys() == set(
        limited_fields(schema()["properties"]["spec"])
    )


def limited_fields(of: dict[str, Any], path: str = "") -> Iterator[str]:
    """Every field that is neither an object nor true or false; a list counts as a whole."""
    for name, field in of["properties"].items():
        if field["type"] == "object":
            yield from limited_fields(field, f"{path}{name}.")
        elif field["type"] != "boolean":
            yield f"{path}{name}"
