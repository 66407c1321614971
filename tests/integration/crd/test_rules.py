"""Every rule that a new job must meet: what breaks it, and what barely does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from splatworks_operator.crd.definition import schema
from splatworks_operator.spec import SplatJobSpec
from tests.integration.crd.splatjobs import SplatJobs
from tests.kube.cluster import ApiError

pytestmark = pytest.mark.kube

DOTS = "must not have '.' or '..' between slashes"
NOT_PHOTOS = "must be a folder of photos or one .zip of them"
NO_PHOTO_LEFT = "must not be 1, which would leave no photo to train on"
SH_SCHEDULE = "must ascend: the share of a band is not below that of the one before it"
LEVELS = "must ascend in both size and start, from start 0 and a size above 0 to size 1 and a start below 1"
ABSGRAD = "must be false with the engine Native, which does not have it"
REQUIRE_GPU = "must be false with the engine Native, which uses no GPU"
DENSIFY = "must be start or more"
BACKOFF = "must be initialSeconds or more"
TOO_LONG = "metadata.name must be at most 52 characters long"
NO_LABEL = "metadata.name must be lower-case letters, digits and '-'"


def source(uri: str) -> dict[str, Any]:
    return {"source": {"uri": uri}}


def output(uri: str) -> dict[str, Any]:
    return {"output": {"uri": uri}}


def train(**options: Any) -> dict[str, Any]:
    return {"train": options}


def levels(*pairs: tuple[float, float]) -> dict[str, Any]:
    return train(resolutionSchedule=[{"size": size, "start": start} for size, start in pairs])


def backoff(**seconds: int) -> dict[str, Any]:
    return {"failurePolicy": {"backoff": seconds}}


SPECS: list[tuple[str, str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    (
        "spec.source.uri",
        DOTS,
        [
            source("s3://b-1/../c"),
            source("s3://b-1/a/.."),
            source("s3://b-1/a/./c"),
            source("s3://b-1/a/../"),
        ],
        [source("s3://b-1/a..b/c"), source("s3://b-1/.hidden/c"), source("s3://b-1/v1.2/")],
    ),
    (
        "spec.source.uri",
        NOT_PHOTOS,
        [
            source(f"s3://b-1/a/film.{end}")
            for end in ("mp4", "MOV", "tar", "tar.gz", "tgz", "7z", "jpg", "JPEG")
        ],
        [source(f"s3://b-1/a/{end}") for end in ("photos.zip", "PHOTOS.ZIP", "film.mp4/", "v1.2", "jpg")],
    ),
    (
        "spec.output.uri",
        DOTS,
        [output("s3://b-1/.."), output("s3://b-1/a/../c")],
        [output("s3://b-1/a..b")],
    ),
    (
        "spec.train.holdOutEvery",
        NO_PHOTO_LEFT,
        [train(holdOutEvery=1)],
        [train(holdOutEvery=0), train(holdOutEvery=2)],
    ),
    (
        "spec.train.shSchedule",
        SH_SCHEDULE,
        [train(shSchedule=[0.2, 0.1]), train(shSchedule=[0, 0.2, 0.1])],
        [train(shSchedule=[0.1, 0.2]), train(shSchedule=[0.1, 0.1, 0.1])],
    ),
    (
        "spec.train.resolutionSchedule",
        LEVELS,
        [
            levels((0.5, 0)),
            levels((1, 0.1)),
            levels((0, 0), (1, 0.5)),
            levels((0.5, 0), (0.5, 0.2), (1, 0.5)),
            levels((0.5, 0), (1, 0)),
            levels((0.5, 0), (1, 1)),
            levels((0.5, 0), (0.25, 0.2), (1, 0.5)),
            levels(*((n / 8, n / 8 - 1 / 8) for n in (1, 2, 3, 4, 5, 6, 6, 8))),
        ],
        [levels((1, 0)), levels((0.01, 0), (1, 0.99)), levels((0.25, 0), (0.5, 0.1), (1, 0.4))],
    ),
    (
        "spec.train.absgrad",
        ABSGRAD,
        [train(absgrad=True, engine="Native")],
        [train(absgrad=True), train(absgrad=True, engine="Gsplat"), train(absgrad=False, engine="Native")],
    ),
    (
        "spec.train.requireGpu",
        REQUIRE_GPU,
        [train(requireGpu=True, engine="Native")],
        [train(requireGpu=True), train(requireGpu=True, engine="Gsplat")],
    ),
    (
        "spec.train.densify.until",
        DENSIFY,
        [
            train(densify={"start": 0.3, "until": 0.2}),
            train(densify={"start": 0.6}),
            train(densify={"until": 0}),
        ],
        [train(densify={"start": 0.3, "until": 0.3}), train(densify={"start": 0.5})],
    ),
    (
        "spec.failurePolicy.backoff.maxSeconds",
        BACKOFF,
        [backoff(initialSeconds=10, maxSeconds=9), backoff(initialSeconds=61), backoff(maxSeconds=0)],
        [backoff(initialSeconds=10, maxSeconds=10), backoff(initialSeconds=60), backoff(maxSeconds=1)],
    ),
]
"""Field, message, specs that break the rule, specs that do not."""

NAMES: list[tuple[str, list[str], list[str]]] = [
    (TOO_LONG, ["n" * 53], ["n" * 52]),
    (NO_LABEL, ["1st", "fox.v2", "2"], ["first-1", "f", "fox--v2"]),
]
"""Message, names that break the rule, names that do not; what is wrong with any object's name is not here."""

BROKEN = [pytest.param(where, why, spec) for where, why, broken, _ in SPECS for spec in broken]
KEPT = [pytest.param(spec) for _, _, _, kept in SPECS for spec in kept]


@pytest.mark.parametrize(("where", "why", "spec"), BROKEN)
def test_a_spec_that_breaks_a_rule_is_refused(
    verdicts: SplatJobs, where: str, why: str, spec: dict[str, Any]
) -> None:
    with pytest.raises(ApiError) as refusal:
        verdicts.create(spec, dry_run=True)

    assert refusal.value.code == 422
    assert f"{where}: " in str(refusal.value)
    assert why in str(refusal.value)


@pytest.mark.parametrize("spec", KEPT)
def test_a_spec_that_keeps_the_rules_is_taken(verdicts: SplatJobs, spec: dict[str, Any]) -> None:
    made = verdicts.create(spec, dry_run=True)

    SplatJobSpec.model_validate(made["spec"])


@pytest.mark.parametrize(("where", "why", "spec"), BROKEN)
def test_the_models_refuse_what_the_api_server_refuses(where: str, why: str, spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SplatJobSpec.model_validate({**source("s3://b-1/photos"), **spec})


@pytest.mark.parametrize(("why", "name"), [(why, name) for why, broken, _ in NAMES for name in broken])
def test_a_name_that_can_not_become_part_of_others_is_refused(
    verdicts: SplatJobs, why: str, name: str
) -> None:
    with pytest.raises(ApiError, match=why) as refusal:
        verdicts.create(name=name, dry_run=True)

    assert refusal.value.code == 422


@pytest.mark.parametrize("name", [name for _, _, kept in NAMES for name in kept])
def test_a_name_that_keeps_the_rules_is_taken(verdicts: SplatJobs, name: str) -> None:
    assert verdicts.create(name=name, dry_run=True)["metadata"]["name"] == name


def test_a_field_that_does_not_exist_is_refused(verdicts: SplatJobs) -> None:
    with pytest.raises(ApiError, match=r'unknown field "spec.train.steps"'):
        verdicts.create({"train": {"steps": 7}}, dry_run=True)


@pytest.mark.parametrize("spec", [{"source": None}, {"source": {}}])
def test_a_job_without_photos_is_refused(verdicts: SplatJobs, spec: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match=r"spec\.source(\.uri)?: Required value"):
        verdicts.create(spec, dry_run=True)


def test_the_tables_above_leave_no_rule_out() -> None:
    tested = [*(why for _, why, _, _ in SPECS), *(why for why, _, _ in NAMES)]
    messages = list(rules_of_values(schema()))

    assert messages
    assert [message for message in messages if not message.startswith(tuple(tested))] == []


def rules_of_values(of: dict[str, Any]) -> Iterator[str]:
    """The message of every rule in a schema that does not look at what was before."""
    for rule in of.get("x-kubernetes-validations", ()):
        if "oldSelf" not in rule["rule"]:
            yield rule["message"]
    for field in of.get("properties", {}).values():
        yield from rules_of_values(field)
    if "items" in of:
        yield from rules_of_values(of["items"])
