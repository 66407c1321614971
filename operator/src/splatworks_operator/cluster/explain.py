"""``splatworks explain``: what the fields of a SplatJob mean, from the same schema as the cluster's."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Mapping
from typing import Any

from splatworks_operator.cluster.errors import WrongUsage
from splatworks_operator.crd.definition import GROUP, KIND, VERSION, schema

_WIDTH = 100


def explain(path: str = "") -> str:
    """What a field means, and what is in it.

    Args:
        path: As kubectl has it ("splatjob.spec.train"), or shorter ("train", "status.result").

    Raises:
        WrongUsage: There is no such field.
    """
    field, names = _find(path)
    lines = [f"{KIND} ({GROUP}/{VERSION})", ""]
    if names:
        lines += [f"FIELD: {'.'.join(names)} <{_type(field)}>{_limits(field)}", ""]
    lines += ["DESCRIPTION:", *_wrapped(field.get("description", ""), 2)]
    below = _inside(field).get("properties", {})
    if below:
        lines += ["", "FIELDS:"]
        required = _inside(field).get("required", ())
    else:
        required = ()
    for name, entry in below.items():
        needed = " (required)" if name in required else ""
        lines += [f"  {name} <{_type(entry)}>{_limits(entry)}{needed}"]
        lines += [*_wrapped(entry.get("description", ""), 4), ""]
    return "\n".join(lines).rstrip()


def _find(path: str) -> tuple[Mapping[str, Any], list[str]]:
    names = [name for name in path.split(".") if name]
    if names and names[0].lower() in (KIND.lower(), "splatjobs", "splat"):
        names = names[1:]
    whole = schema()
    if names and names[0] not in whole["properties"]:
        names = ["spec", *names]
    field: Mapping[str, Any] = whole
    for depth, name in enumerate(names):
        below = _inside(field).get("properties", {})
        if name not in below:
            raise WrongUsage(_unknown(names[:depth], name, list(below)))
        field = below[name]
    return field, names


def _unknown(above: list[str], name: str, known: list[str]) -> str:
    where = ".".join(above) or KIND
    if not known:
        return f"{where} has no fields, so there is no {name}."
    close = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"{where} has no field {name}.{meant} Its fields: {', '.join(known)}."


def _inside(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an object, or of what a list holds."""
    inside: Mapping[str, Any] = field.get("items", field)
    return inside


def _type(field: Mapping[str, Any]) -> str:
    if field.get("type") == "array":
        return f"[]{_type(field['items'])}"
    if "properties" in field:
        return "object"
    return str(field.get("type", "object"))


def _limits(field: Mapping[str, Any]) -> str:
    inside = _inside(field)
    parts = []
    if "enum" in inside:
        parts.append(f"one of {', '.join(map(str, inside['enum']))}")
    if "minimum" in inside and "maximum" in inside:
        parts.append(f"{inside['minimum']} to {inside['maximum']}")
    elif "minimum" in inside:
        parts.append(f"{inside['minimum']} or more")
    if isinstance(field.get("default"), str | int | float):
        default = field["default"]
        parts.append(f"default {str(default).lower() if isinstance(default, bool) else default}")
    return f" ({'; '.join(parts)})" if parts else ""


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent)
