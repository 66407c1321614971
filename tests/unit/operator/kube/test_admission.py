from __future__ import annotations

from typing import Any

import pytest

from splatworks_common.artifacts.uri import S3Uri
from splatworks_operator.kube.admission import refusal
from splatworks_operator.kube.config import parse
from splatworks_operator.spec import SplatJobSpec

_RULES = [
    {"namespaces": ["blue", "blue-*"], "source": ["photos-blue", "shared/blue/*"], "output": ["scenes-blue"]},
    {"namespaces": ["*"], "source": ["photos"], "output": ["splatworks"]},
]


def _refusal(namespace: str, **spec: Any) -> str:
    config = parse({"buckets": _RULES, "sourceSecrets": ["mine"]}, "the test")
    return refusal(config, namespace, SplatJobSpec.model_validate(spec), S3Uri("splatworks", "jobs"))


@pytest.mark.parametrize(
    ("namespace", "source", "output"),
    [
        ("green", "s3://photos/fox", None),
        ("blue", "s3://photos-blue/fox", "s3://scenes-blue/out"),
        ("blue-2", "s3://shared/blue/fox.zip", "s3://scenes-blue"),
    ],
)
def test_a_bucket_that_the_first_matching_rule_names_is_allowed(
    namespace: str, source: str, output: str | None
):
    assert _refusal(namespace, source={"uri": source}, output={"uri": output}) == ""


@pytest.mark.parametrize(
    ("namespace", "source", "output", "word"),
    [
        ("green", "s3://photos-blue/fox", None, "may not read from s3://photos-blue/fox"),
        ("blue", "s3://photos/fox", "s3://scenes-blue/x", "may not read"),  # a later rule does not help
        ("blue", "s3://photos-blue/fox", None, "may not write to s3://splatworks/jobs"),
        ("blue", "s3://shared/green/fox", "s3://scenes-blue/x", "may not read"),
        ("green", "s3://photos/fox", "s3://splatworks/cache", "folder of the platform's own"),
        ("green", "s3://photos/fox", "s3://splatworks/scenes/x", "folder of the platform's own"),
        ("green", "s3://photos/" + 300 * "x", None, "can not be used"),
    ],
)
def test_any_other_bucket_is_refused_in_words(namespace: str, source: str, output: str | None, word: str):
    assert word in _refusal(namespace, source={"uri": source}, output={"uri": output})


def test_a_namespace_without_a_rule_is_refused():
    spec = SplatJobSpec.model_validate({"source": {"uri": "s3://photos/fox"}})
    config = parse({"buckets": _RULES[:1]}, "the test")
    assert "allows no bucket" in refusal(config, "green", spec, S3Uri("splatworks", "jobs"))


def test_only_secrets_that_the_platform_names_are_read():
    assert _refusal("green", source={"uri": "s3://photos/fox", "secretRef": {"name": "mine"}}) == ""
    complaint = _refusal("green", source={"uri": "s3://photos/fox", "secretRef": {"name": "theirs"}})
    assert "does not allow a Secret named theirs" in complaint
