"""What a SplatJob says of the stages' options is what protos and services say, and what the commands do.

The protos' comments are held to the services' dataclasses by another test, so here the dataclasses stand for
both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from splatworks.v1 import common_pb2, compressor_pb2, sfm_pb2, trainer_pb2
from splatworks_common.reasons import Reason
from splatworks_compressor import config as compressor
from splatworks_operator import spec
from splatworks_operator.crd.definition import schema
from splatworks_operator.status import StageName
from splatworks_sfm import config as sfm
from splatworks_trainer import config as trainer

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
OPTIONS: list[tuple[Stage, FieldDescriptor]] = [
    (stage, option)
    for stage in STAGES.values()
    for option in stage.message.DESCRIPTOR.fields
    if option.name not in OF_THE_REQUEST
]


def each(options: list[tuple[Stage, FieldDescriptor]]) -> pytest.MarkDecorator:
    """Runs a test once for each of the options, by name."""
    cases = [pytest.param(stage, option, id=option.full_name) for stage, option in options]
    return pytest.mark.parametrize(("stage", "option"), cases)


def field(stage: Stage, option: FieldDescriptor) -> dict[str, Any]:
    """The definition's field for an option of a request."""
    found: dict[str, Any] = stage.fields[option.json_name]
    return found


def word(member: str) -> str:
    """How the definition calls a member of an enum: ``SEQUENTIAL`` and ``sequential`` are "Sequential"."""
    return "".join(part.capitalize() for part in member.split("_"))


def words(enum: EnumDescriptor) -> set[str]:
    """The choices that a proto's enum offers, without its zero."""
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return {word(value.name.removeprefix(prefix)) for value in enum.values[1:]}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_the_fields_are_the_options_of_the_request(stage: Stage) -> None:
    options = {option.json_name for option in stage.message.DESCRIPTOR.fields}

    assert stage.fields.keys() - OF_THE_JOB == options - OF_THE_REQUEST


@each(OPTIONS)
def test_a_default_is_the_services(stage: Stage, option: FieldDescriptor) -> None:
    default = getattr(stage.defaults, option.name)
    value = word(default.value) if isinstance(default, Enum) else default
    said = field(stage, option)

    assert value == (said["default"] if "default" in said else described_default(said["description"]))


@each([(stage, option) for stage, option in OPTIONS if option.enum_type is None])
def test_limits_are_the_services(stage: Stage, option: FieldDescriptor) -> None:
    low, high = stage.ranges[option.name]
    limits = field(stage, option)

    assert (limits["minimum"], limits["maximum"]) == (low, min(high, INT32_MAX))


@pytest.mark.parametrize("name", ["max_gaussians", "max_image_side"])
def test_what_the_draft_profile_changes_is_described(name: str) -> None:
    option = trainer_pb2.TrainOptions.DESCRIPTOR.fields_by_name[name].json_name
    drafted = re.search(r"\(Draft: ([\d,]+)\)", STAGES["train"].fields[option]["description"])

    assert drafted
    assert int(drafted[1].replace(",", "")) == getattr(trainer.DRAFT, name)


def test_whatever_differs_between_the_profiles_has_no_default_of_its_own() -> None:
    differing = {
        option.json_name
        for option in trainer_pb2.TrainOptions.DESCRIPTOR.fields
        if option.name not in OF_THE_REQUEST
        and getattr(trainer.STANDARD, option.name) != getattr(trainer.DRAFT, option.name)
    }

    assert [name for name in differing if "default" in STAGES["train"].fields[name]] == []


@pytest.mark.parametrize(
    ("choices", "enum"),
    [
        (SPEC["profile"], trainer_pb2.Profile.DESCRIPTOR),
        (SPEC["cachePolicy"], common_pb2.CachePolicy.DESCRIPTOR),
        (SPEC["sfm"]["properties"]["matching"], sfm_pb2.Matching.DESCRIPTOR),
        (SPEC["compress"]["properties"]["quality"], compressor_pb2.Quality.DESCRIPTOR),
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


def described_default(description: str) -> float | None:
    """What a description says that the service does without a value."""
    found = re.search(r"Default:? (none|[\d,]+)", description)
    assert found, f"neither a default nor a word about it: {description}"
    return None if found[1] == "none" else float(found[1].replace(",", ""))
