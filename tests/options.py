"""The options of a request, and what people are told of them: for tests that hold comments to what is done.

An option inside a message of the options is a field ``{message}_{field}`` of the stage's dataclass, as
``splatworks_common.options`` has it; a list is one option, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

_NUMBER = r"2\^\d+ - 1|-?\d[\d,]*(?:\.\d+)?(?:e-\d+)?"


@dataclass(frozen=True)
class Option:
    """One option of a message: the way to it through the messages it lies in, itself last."""

    path: tuple[FieldDescriptor, ...]

    @property
    def field(self) -> FieldDescriptor:
        """The option itself."""
        return self.path[-1]

    @property
    def name(self) -> str:
        """Its name in the stage's dataclass ("plateau_patience")."""
        return "_".join(field.name for field in self.path)

    @property
    def json_path(self) -> str:
        """Its path as JSON has it ("plateau.minDelta")."""
        return ".".join(field.json_name for field in self.path)

    @property
    def is_number(self) -> bool:
        """True where it is one number, which has limits."""
        of_number = self.field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_DOUBLE)
        return of_number and not self.field.is_repeated


def options(message: Any) -> Iterator[Option]:
    """All options of a message's descriptor, in the order of the proto."""
    for field in message.fields:
        if field.message_type is None or field.is_repeated:
            yield Option((field,))
        else:
            yield from (Option((field, *inner.path)) for inner in options(field.message_type))


def default_told(text: str) -> object:
    """What a description says is done without a value: "Default 8.", "Default: none."; absent where nothing.

    Raises:
        AssertionError: It says nothing of it.
    """
    found = re.search(r"Default:? (.+?)(?: \(|, or |\.(?: |$))", text)
    assert found, f"neither a default nor a word about it: {text}"
    return _value(found[1])


def profiles_told(text: str) -> dict[str, object]:
    """The defaults of single profiles, by name: "(DRAFT: 480, HIGH: 1280)"."""
    found = re.search(r"\(((?:draft|high): .*?)\)", text, re.I)
    each = re.split(r", (?=[A-Za-z]+: )", found[1]) if found else []
    return {name.upper(): _value(value) for name, _, value in (part.partition(": ") for part in each)}


def range_told(text: str) -> tuple[float, float | None]:
    """The limits in a description: "0 to 3"; "0 or more" has no upper one.

    Raises:
        AssertionError: It has none.
    """
    found = re.search(rf"\b({_NUMBER}) (?:to ({_NUMBER})|or more)[.;]", text)
    assert found, f"no limits: {text}"
    return _number(found[1]), _number(found[2]) if found[2] else None


def as_told(default: object) -> object:
    """A stage's default as the functions above return it; a choice by the name that the stage has for it."""
    return default.name if isinstance(default, Enum) else default


def _value(text: str) -> object:
    if text in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text]
    if " from " in text:
        return tuple(_level(part) for part in text.split(", "))
    if ", " in text:
        return tuple(_number(part) for part in text.split(", "))
    return _number(text) if re.fullmatch(_NUMBER, text) else text


def _level(text: str) -> tuple[float, float]:
    size, _, start = text.partition(" from ")
    return _number(size), _number(start or "0")


def _number(text: str) -> float:
    power = re.fullmatch(r"2\^(\d+) - 1", text)
    return 2 ** int(power[1]) - 1 if power else float(text.replace(",", ""))
