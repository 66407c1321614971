"""A request's options over a stage's defaults: the one rule by which proto fields become dataclass fields.

Fields are matched by name; one inside a message of the options is called ``{message}_{field}`` in the
dataclass (``plateau { patience }`` is ``plateau_patience``). A field that the request leaves out keeps its
default. Ranges are the dataclass's own business; here only the name of the field is put in the caller's
terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.message import Message

from splatworks_common.reasons import InvalidField

OptionsT = TypeVar("OptionsT")


def merged(defaults: OptionsT, message: Message, **translated: object) -> OptionsT:
    """The defaults with every field that ``message`` sets.

    Args:
        defaults: A frozen dataclass whose construction raises ``InvalidField`` for values out of range.
        message: The request's options.
        translated: Values for proto fields whose type is not the dataclass field's (enums, lists), by the
            dataclass field's name; a value of None leaves the field out.

    Raises:
        InvalidField: A value is out of range; the field is named as in the request ("options.max_features").
    """
    paths = dict(_paths(message.DESCRIPTOR))
    given: dict[str, Any] = dict(_given(message)) | translated
    try:
        return replace(defaults, **{name: value for name, value in given.items() if value is not None})  # type: ignore[type-var]
    except InvalidField as error:
        raise InvalidField(f"options.{paths.get(error.field, error.field)}", error.description) from error


def _paths(message: Any, name: str = "", path: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a message's descriptor, set or not: its dataclass name and its path in the request."""
    for field in message.fields:
        yield f"{name}{field.name}", f"{path}{field.name}"
        if field.message_type is not None and not field.is_repeated:
            yield from _paths(field.message_type, f"{name}{field.name}_", f"{path}{field.name}.")


def _given(message: Message, name: str = "") -> Iterator[tuple[str, Any]]:
    """The fields that are set, by dataclass name."""
    for field, value in message.ListFields():
        if isinstance(value, Message):
            yield from _given(value, f"{name}{field.name}_")
        else:
            yield f"{name}{field.name}", value
