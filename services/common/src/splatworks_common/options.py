"""A request's options over a stage's defaults: the one rule by which proto fields become dataclass fields.

Fields are matched by name; a field that the request leaves out keeps its default. Ranges are the dataclass's
own business; here only the name of the field is put in the caller's terms.
"""

from __future__ import annotations

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
        translated: Values for proto fields whose type is not the dataclass field's (enums), by field name; a
            value of None leaves the field out.

    Raises:
        InvalidField: A value is out of range; the field is named as in the request ("options.max_features").
    """
    given: dict[str, Any] = {field.name: value for field, value in message.ListFields()} | translated
    try:
        return replace(defaults, **{name: value for name, value in given.items() if value is not None})  # type: ignore[type-var]
    except InvalidField as error:
        raise InvalidField(f"options.{error.field}", error.description) from error
