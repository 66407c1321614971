"""The protos' comments tell callers the defaults and ranges that the dataclasses decide: they must agree."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from splatworks.v1 import sfm_pb2, trainer_pb2
from splatworks_sfm import config as sfm
from splatworks_trainer import config as trainer

PROTOS = Path(__file__).parents[3] / "protos" / "splatworks" / "v1"

INT32_MAX = 2**31 - 1
NUMBER = r"2\^\d+ - 1|-?\d[\d,]*(?:\.\d+)?"


@dataclass(frozen=True)
class Options:
    """A message's options: what its proto says, and the defaults and ranges that hold."""

    proto: str
    message: Any
    defaults: Any
    ranges: dict[str, tuple[float, float]]


SFM = Options("sfm.proto", sfm_pb2.SfmOptions, sfm.SfmOptions(), dict(sfm.RANGES))
TRAINER = Options(
    "trainer.proto",
    trainer_pb2.TrainOptions,
    trainer.STANDARD,
    {name: (limits.low, limits.high) for name, limits in trainer.ranges().items()},
)
FIELDS = [
    (options, field)
    for options in (SFM, TRAINER)
    for field in options.message.DESCRIPTOR.fields
    if field.name != "profile"  # chooses the defaults; no option of its own
]


def each(chosen: list[tuple[Options, FieldDescriptor]]) -> pytest.MarkDecorator:
    """Runs a test once for each of the fields, by name."""
    cases = [pytest.param(options, field.name, id=field.full_name) for options, field in chosen]
    return pytest.mark.parametrize(("options", "field"), cases)


def comment(options: Options, field: str) -> str:
    """The comment above a field, on one line."""
    name = options.message.DESCRIPTOR.name
    body = re.search(rf"^message {name} \{{(.*?)^\}}", (PROTOS / options.proto).read_text(), re.M | re.S)
    assert body, f"{options.proto} has no message {name}"
    found = re.search(rf"((?: *//.*\n)+)[ \w]* {field} = \d+;", body[1])
    assert found, f"{name}.{field} has no comment"
    return " ".join(line.strip(" /") for line in found[1].splitlines())


def number(text: str) -> float:
    power = re.fullmatch(r"2\^(\d+) - 1", text)
    return 2 ** int(power[1]) - 1 if power else float(text.replace(",", ""))


def value(text: str) -> float | str | None:
    """What a comment's "Default ..." stands for: a number, the name of an enum's value, or none."""
    if text == "none":
        return None
    return number(text) if re.fullmatch(NUMBER, text) else text


def as_commented(default: object) -> object:
    return default.name if isinstance(default, Enum) else default


@each(FIELDS)
def test_every_option_of_a_request_is_an_option_of_the_stage(options: Options, field: str) -> None:
    assert field in {option.name for option in fields(options.defaults)}


@each(FIELDS)
def test_the_default_is_the_one_in_the_comment(options: Options, field: str) -> None:
    found = re.search(rf"Default:? ({NUMBER}|[A-Za-z]+)(?:\.| \()", comment(options, field))

    assert found
    assert value(found[1]) == as_commented(getattr(options.defaults, field))


@each([(options, field) for options, field in FIELDS if options is TRAINER])
def test_a_default_of_the_draft_profile_is_the_one_in_the_comment(options: Options, field: str) -> None:
    found = re.search(rf"\(DRAFT: ({NUMBER})\)", comment(options, field))
    draft = number(found[1]) if found else getattr(options.defaults, field)

    assert draft == getattr(trainer.DRAFT, field)


@each([(options, field) for options, field in FIELDS if field.enum_type is None])
def test_the_range_is_the_one_in_the_comment(options: Options, field: str) -> None:
    found = re.search(rf"\b({NUMBER}) (?:to ({NUMBER})|or more)[.;]", comment(options, field))
    low, high = options.ranges[field]

    assert found
    # "Or more" goes as far as the field's type, which may be less far than the stage does.
    assert (number(found[1]), number(found[2] or "2^31 - 1")) == (low, min(high, INT32_MAX))
