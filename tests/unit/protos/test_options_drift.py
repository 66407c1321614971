"""The protos' comments tell callers the defaults and ranges that the dataclasses decide: they must agree."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from splatworks.v1 import sfm_pb2, trainer_pb2
from splatworks_sfm import config as sfm
from splatworks_trainer import config as trainer
from tests.options import Option, as_told, default_told, options, profiles_told, range_told

PROTOS = Path(__file__).parents[3] / "protos" / "splatworks" / "v1"

INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Stage:
    """A stage's options: the message's descriptor, and the defaults and ranges that hold."""

    message: Any
    defaults: Any
    ranges: dict[str, tuple[float, float]]


SFM = Stage(sfm_pb2.SfmOptions.DESCRIPTOR, sfm.SfmOptions(), dict(sfm.RANGES))
TRAINER = Stage(
    trainer_pb2.TrainOptions.DESCRIPTOR,
    trainer.STANDARD,
    {name: (limits.low, limits.high) for name, limits in trainer.ranges().items()},
)
OPTIONS = [
    (stage, option)
    for stage in (SFM, TRAINER)
    for option in options(stage.message)
    if option.name != "profile"  # chooses the defaults; no option of its own
]
PROFILES = {"DRAFT": trainer.DRAFT, "HIGH": trainer.HIGH}


def each(chosen: list[tuple[Stage, Option]]) -> pytest.MarkDecorator:
    """Runs a test once for each of the options, by name."""
    cases = [pytest.param(stage, option, id=option.field.full_name) for stage, option in chosen]
    return pytest.mark.parametrize(("stage", "option"), cases)


def comment(option: Option) -> str:
    """The comment above an option, on one line."""
    message: Any = option.field.containing_type
    field = option.field.name
    proto = PROTOS / Path(message.file.name).name
    body = re.search(rf"^message {message.name} \{{(.*?)^\}}", proto.read_text(), re.M | re.S)
    assert body, f"{proto.name} has no message {message.name}"
    found = re.search(rf"((?: *//.*\n)+)[ \w]* {field} = \d+;", body[1])
    assert found, f"{message.name}.{field} has no comment"
    return " ".join(line.strip(" /") for line in found[1].splitlines())


@each(OPTIONS)
def test_every_option_of_a_request_is_an_option_of_the_stage(stage: Stage, option: Option) -> None:
    assert option.name in {field.name for field in fields(stage.defaults)}


@each(OPTIONS)
def test_the_default_is_the_one_in_the_comment(stage: Stage, option: Option) -> None:
    assert default_told(comment(option)) == as_told(getattr(stage.defaults, option.name))


@pytest.mark.parametrize("profile", PROFILES)
@each([(stage, option) for stage, option in OPTIONS if stage is TRAINER])
def test_the_default_of_a_profile_is_the_one_in_the_comment(
    stage: Stage, option: Option, profile: str
) -> None:
    usual = as_told(getattr(stage.defaults, option.name))

    told = profiles_told(comment(option)).get(profile, usual)

    assert told == as_told(getattr(PROFILES[profile], option.name))


@each([(stage, option) for stage, option in OPTIONS if option.is_number])
def test_the_range_is_the_one_in_the_comment(stage: Stage, option: Option) -> None:
    low, high = stage.ranges[option.name]

    told_low, told_high = range_told(comment(option))

    # "Or more" goes as far as the field's type, which may be less far than the stage does.
    assert (told_low, told_high or INT32_MAX) == (low, min(high, INT32_MAX))
