"""Turns a pydantic model into a structural schema, the dialect of OpenAPI that Kubernetes takes.

Kubernetes wants every property spelled out where it stands, without ``$ref``, ``anyOf`` or ``null``, and
fills defaults in leaf by leaf: an object that may be left out has the default ``{}`` and its own fields have
theirs.

Assumes models made of models, enums, numbers, strings, booleans and lists of them. Anything else, a field
without a description, a string or list without a limit is refused with a ``SchemaError``: what is written
into a definition explains itself and can not grow without bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT = (
    *("description", "type", "enum", "pattern", "minLength", "maxLength"),
    *("minimum", "maximum", "minItems", "maxItems"),
)
"""The keywords of JSON Schema that Kubernetes reads as they are."""

_INT32_MAX = 2**31 - 1


class SchemaError(Exception):
    """A model that can not be told to Kubernetes; the message names the field and what it lacks."""


@dataclass(frozen=True)
class Rule:
    """A condition in the Common Expression Language that an object must meet.

    Attributes:
        expression: What must be true; ``self`` is the object, ``oldSelf`` what it was before an update.
        message: What to do, for a person whose object was refused.
        field: The field that is to blame, as a path relative to the object (".uri").
        forbidden: True where not the value is wrong but changing it.
    """

    expression: str
    message: str
    field: str = ""
    forbidden: bool = False

    def as_schema(self) -> Schema:
        """The rule as an entry of ``x-kubernetes-validations``."""
        return {
            "rule": self.expression,
            "message": self.message,
            **({"fieldPath": self.field} if self.field else {}),
            **({"reason": "FieldValueForbidden"} if self.forbidden else {}),
        }


Rules = Mapping[type[BaseModel], Sequence[Rule]]
"""The rules that every object of a model must meet."""


def structural(model: type[BaseModel], rules: Rules) -> Schema:
    """The structural schema of ``model``.

    Raises:
        SchemaError: The model holds what such a schema can not say.
    """
    source = model.model_json_schema(by_alias=True)
    definitions = source.pop("$defs", {})
    by_name = {of.__name__: list(entries) for of, entries in rules.items()}
    if unknown := by_name.keys() - definitions.keys() - {model.__name__}:
        raise SchemaError(f"rules are given for {', '.join(sorted(unknown))}, which {model.__name__} has not")
    return _Converter(definitions, by_name).convert(source, name=model.__name__, path=model.__name__)


@dataclass(frozen=True)
class _Converter:
    """One conversion: what names stand for, and which rules they bring along."""

    definitions: Mapping[str, Schema]
    rules: Mapping[str, Sequence[Rule]]

    def convert(self, source: Schema, *, name: str, path: str) -> Schema:
        """The structural form of ``source``, which stands at ``path`` and comes from the model ``name``."""
        source, name = self._resolved(source, name)
        if "description" not in source:
            raise SchemaError(f"{path} has no description")
        result = {key: source[key] for key in _KEPT if key in source}
        match result.get("type"):
            case "object":
                result |= self._object(source, name, path)
            case "array":
                result |= self._array(source, path)
            case "integer":
                result["format"] = "int32" if result.get("maximum", _INT32_MAX + 1) <= _INT32_MAX else "int64"
            case "string" if not {"maxLength", "enum"} & result.keys():
                raise SchemaError(f"{path} is a string without max_length")
            case "string" | "boolean" | "number":
                pass
            case other:
                raise SchemaError(f"{path} has the type {other}, which no structural schema has")
        return result | _default(source, result, path)

    def _resolved(self, source: Schema, name: str) -> tuple[Schema, str]:
        """``source`` without ``anyOf`` and ``$ref``, and the model it now comes from."""
        if "anyOf" in source:
            (only,) = (choice for choice in source["anyOf"] if choice != {"type": "null"})
            source = only | {key: value for key, value in source.items() if key != "anyOf"}
        if "$ref" in source:
            name = source["$ref"].rpartition("/")[2]
            source = self.definitions[name] | {key: value for key, value in source.items() if key != "$ref"}
        return source, name

    def _object(self, source: Schema, name: str, path: str) -> Schema:
        rules = [rule.as_schema() for rule in self.rules.get(name, ())]
        return {
            **({"required": source["required"]} if "required" in source else {}),
            **({"x-kubernetes-validations": rules} if rules else {}),
            "properties": {
                field: self.convert(of, name="", path=f"{path}.{field}")
                for field, of in source["properties"].items()
            },
        }

    def _array(self, source: Schema, path: str) -> Schema:
        if "maxItems" not in source:
            raise SchemaError(f"{path} is a list without max_length")
        items, name = self._resolved(source["items"], "")
        described = {"description": source["description"]} | items
        return {
            "x-kubernetes-list-type": source.get("listType", "atomic"),
            "items": self.convert(described, name=name, path=f"{path}[]"),
        }


def _default(source: Schema, result: Schema, path: str) -> Schema:
    """The ``default`` of a field, or nothing: an absent value and an empty list need none."""
    default = source.get("default")
    if default is None or default == []:
        return {}
    if result["type"] != "object":
        return {"default": default}
    if _without_absent(default) != filled_in(result, {}):
        raise SchemaError(f"{path} has a default that its own fields' defaults do not give")
    return {"default": {}}


def _without_absent(value: Any) -> Any:
    if isinstance(value, dict):
        given = {key: _without_absent(item) for key, item in value.items()}
        return {key: item for key, item in given.items() if item is not None and item != []}
    return value


def filled_in(schema: Schema, value: Any) -> Any:
    """``value`` with the defaults of ``schema``, as the API server fills them in.

    Example:
        >>> filled_in({"properties": {"port": {"default": 80}}}, {})
        {'port': 80}
    """
    if isinstance(value, list):
        return [filled_in(schema["items"], item) for item in value]
    if not isinstance(value, dict):
        return value
    given = {
        field: of["default"]
        for field, of in schema.get("properties", {}).items()
        if "default" in of and field not in value
    }
    return {field: filled_in(schema["properties"][field], item) for field, item in (value | given).items()}


def told(schema: Schema) -> Schema:
    """``schema`` with every default and every number's limits said in the descriptions.

    ``kubectl explain`` shows neither by itself.

    Example:
        >>> told({"description": "A port.", "type": "integer", "default": 8})["description"]
        'A port. Default 8.'
    """
    result = {**schema, "description": f"{schema['description']}{_default_and_limits(schema)}"}
    if "properties" in schema:
        result["properties"] = {name: told(field) for name, field in schema["properties"].items()}
    if "items" in schema:
        result["items"] = told(schema["items"])
    return result


def _default_and_limits(schema: Schema) -> str:
    facts = []
    if schema["type"] != "object" and "default" in schema:
        facts.append(f"Default {value_text(schema['default'])}")
    if limits := limits_text(schema):
        facts.append(limits)
    return f" {'; '.join(facts)}." if facts else ""


def limits_text(schema: Schema) -> str:
    """The limits of a number in words ("1 to 3,600"); "" for anything else."""
    if not {"minimum", "maximum"} <= schema.keys():
        return ""
    return f"{value_text(schema['minimum'])} to {value_text(schema['maximum'])}"


def value_text(value: Any) -> str:
    """A value of a field as people write it: true, 160,000, 0.000001, Auto, a list's with commas."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return f"{Decimal(str(value)):f}"
        case list():
            return ", ".join(map(value_text, value))
    return str(value)
