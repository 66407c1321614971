"""What a SplatJob says of the stages' options is what protos and services say, and what the commands do.

The protos' comments are held to the services' dataclasses by another test, so here the dataclasses stand for
both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from google.protobuf.descriptor import EnumDescriptor

from splatworks.v1 import common_pb2, compressor_pb2, sfm_pb2, trainer_pb2
from splatworks_common.reasons import InvalidField, Reason
from splatworks_compressor import config as compressor
from splatworks_operator import spec
from splatworks_operator.crd.definition import schema
from splatworks_operator.job import Job
from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName
from splatworks_sfm import config as sfm
from splatworks_trainer import config as trainer
from splatworks_trainer.stage import STAGE as TRAINER
from tests.options import Option, default_told, options, profiles_told

INT32_MAX = 2**31 - 1

SPEC = schema()["properties"]["spec"]["properties"]
STATUS = schema()["properties"]["status"]["properties"]

OF_THE_JOB = {"timeoutSeconds"}
"""Fields that become the request's own, not options."""
OF_THE_REQUEST = {"profile"}
"""Options that are a field of the whole job."""


@dataclass(frozen=True)
class Stage:
    """One stage's options: what the definition says, what the request holds, and what the service does."""

    fields: dict[str, Any]
    message: Any
    defaults: Any
    ranges: dict[str, tuple[float, float]]


STAGES = {
    "sfm": Stage(SPEC["sfm"]["properties"], sfm_pb2.SfmOptions, sfm.SfmOptions(), dict(sfm.RANGES)),
    "train": Stage(
        SPEC["train"]["properties"],
        trainer_pb2.TrainOptions,
        trainer.STANDARD,
        {name: (limits.low, limits.high) for name, limits in trainer.ranges().items()},
    ),
    "compress": Stage(
        SPEC["compress"]["properties"], compressor_pb2.CompressOptions, compressor.CompressOptions(), {}
    ),
}
OPTIONS: list[tuple[Stage, Option]] = [
    (stage, option)
    for stage in STAGES.values()
    for option in options(stage.message.DESCRIPTOR)
    if option.name not in OF_THE_REQUEST
]
TRAINING = [option for stage, option in OPTIONS if stage is STAGES["train"]]
PROFILES = {"DRAFT": trainer.DRAFT, "HIGH": trainer.HIGH}


def each(chosen: list[tuple[Stage, Option]]) -> pytest.MarkDecorator:
    """Runs a test once for each of the options, by name."""
    cases = [pytest.param(stage, option, id=option.field.full_name) for stage, option in chosen]
    return pytest.mark.parametrize(("stage", "option"), cases)


def leaves(fields: dict[str, Any], above: str = "") -> dict[str, dict[str, Any]]:
    """The definition's fields that are no objects, by path; a list is one field, whatever it holds."""
    found: dict[str, dict[str, Any]] = {}
    for name, field in fields.items():
        inner = leaves(field["properties"], f"{above}{name}.") if "properties" in field else {}
        found |= inner or {f"{above}{name}": field}
    return found


def field(stage: Stage, option: Option) -> dict[str, Any]:
    """The definition's field for an option of a request."""
    return leaves(stage.fields)[option.json_path]


def as_said(default: object) -> object:
    """A service's default as a SplatJob has it."""
    match default:
        case Enum():
            return word(str(default.value))
        case tuple():
            return [as_said(item) for item in default]
    return default


def word(member: str) -> str:
    """How the definition calls a member of an enum: ``SEQUENTIAL`` and ``sequential`` are "Sequential"."""
    return "".join(part.capitalize() for part in member.split("_"))


def words(enum: EnumDescriptor) -> set[str]:
    """The choices that a proto's enum offers, without its zero."""
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return {word(value.name.removeprefix(prefix)) for value in enum.values[1:]}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_the_fields_are_the_options_of_the_request(stage: Stage) -> None:
    asked = {option.json_path for option in options(stage.message.DESCRIPTOR)}

    assert leaves(stage.fields).keys() - OF_THE_JOB == asked - OF_THE_REQUEST


@each(OPTIONS)
def test_a_default_is_the_services(stage: Stage, option: Option) -> None:
    said = field(stage, option)
    default = said["default"] if "default" in said else as_said(default_told(said["description"]))

    assert default == as_said(getattr(stage.defaults, option.name))


@each([(stage, option) for stage, option in OPTIONS if option.is_number])
def test_limits_are_the_services(stage: Stage, option: Option) -> None:
    low, high = stage.ranges[option.name]
    limits = field(stage, option)

    assert (limits["minimum"], limits["maximum"]) == (low, min(high, INT32_MAX))


@pytest.mark.parametrize(
    ("name", "of_length"),
    [
        ("sh_schedule", lambda length: (0.5,) * length),
        (
            "resolution_schedule",
            lambda length: tuple(((n + 1) / length, n / length) for n in range(length)),
        ),
    ],
)
def test_a_schedule_may_be_as_long_as_the_services(name: str, of_length: Callable[[int], Any]) -> None:
    longest = next(field(STAGES["train"], option) for option in TRAINING if option.name == name)["maxItems"]

    trainer.TrainOptions(**{name: of_length(longest)})
    with pytest.raises(InvalidField):
        trainer.TrainOptions(**{name: of_length(longest + 1)})


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("option", TRAINING, ids=lambda option: option.name)
def test_what_a_profile_changes_is_described(profile: str, option: Option) -> None:
    usual = as_said(getattr(trainer.STANDARD, option.name))

    told = profiles_told(field(STAGES["train"], option)["description"]).get(profile, usual)

    assert as_said(told) == as_said(getattr(PROFILES[profile], option.name))


def test_whatever_differs_between_the_profiles_has_no_default_of_its_own() -> None:
    differing = [
        option
        for option in TRAINING
        for profile in PROFILES.values()
        if getattr(trainer.STANDARD, option.name) != getattr(profile, option.name)
    ]

    assert [option.name for option in differing if "default" in field(STAGES["train"], option)] == []


@pytest.mark.parametrize("profile", spec.Profile)
def test_a_job_that_chooses_nothing_is_trained_as_the_service_does_by_itself(profile: spec.Profile) -> None:
    asked = spec.SplatJobSpec(source=spec.Source(uri="s3://photos/fox"), profile=profile)
    job = Job("uid", "fox", asked, "s3://platform/jobs/uid", slug="fox")
    request: Any = CALLS[StageName.TRAIN].request(job, "uid.train.1")
    bare = trainer_pb2.TrainOptions(profile=request.options.profile)

    assert TRAINER.parameters(request) == TRAINER.parameters(trainer_pb2.TrainRequest(options=bare))


@pytest.mark.parametrize(
    ("choices", "enum"),
    [
        (SPEC["profile"], trainer_pb2.Profile.DESCRIPTOR),
        (SPEC["cachePolicy"], common_pb2.CachePolicy.DESCRIPTOR),
        *(
            (field(stage, option), option.field.enum_type)
            for stage, option in OPTIONS
            if option.field.enum_type is not None
        ),
        (STATUS["stages"]["items"]["properties"]["reason"], common_pb2.Reason.DESCRIPTOR),
    ],
)
def test_choices_are_the_protos(choices: dict[str, Any], enum: EnumDescriptor) -> None:
    assert set(choices["enum"]) == words(enum)


@pytest.mark.parametrize(
    ("choices", "enum"),
    [
        (spec.Matching, sfm.Matching),
        (spec.Quality, compressor.Quality),
        (spec.Engine, trainer.EngineName),
        (spec.Strategy, trainer.StrategyName),
        (spec.Holdout, trainer.Holdout),
        (spec.Background, trainer.Background),
        (spec.PlateauMetric, trainer.PlateauMetric),
    ],
)
def test_choices_are_the_services(choices: type[Enum], enum: type[Enum]) -> None:
    assert {member.value for member in choices} == {word(member.value) for member in enum}


def test_a_failure_rule_may_name_every_reason() -> None:
    rule = SPEC["failurePolicy"]["properties"]["rules"]["items"]["properties"]

    assert rule["onReasons"]["items"]["enum"] == [reason.value for reason in Reason]
    assert rule["onReasons"]["maxItems"] >= len(Reason)


def test_the_status_has_room_for_every_stage() -> None:
    stages = STATUS["stages"]

    assert stages["items"]["properties"]["name"]["enum"] == [name.value for name in StageName]
    assert stages["maxItems"] >= len(StageName)
