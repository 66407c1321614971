"""Messages without their secrets: for whatever is kept, compared or shown.

A field is a secret where its proto says ``[debug_redact = true]``.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

MessageT = TypeVar("MessageT", bound=Message)


def redacted(message: MessageT) -> MessageT:
    """A copy of ``message`` without its secrets, at any depth outside of maps."""
    copy = type(message)()
    copy.CopyFrom(message)
    _clear(copy)
    return copy


def _clear(message: Message) -> None:
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
        elif field.type != FieldDescriptor.TYPE_MESSAGE or _is_map(field):
            continue
        elif field.is_repeated:
            for element in value:
                _clear(element)
        else:
            _clear(value)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
