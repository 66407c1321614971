"""How a model becomes a structural schema, on models of a few fields."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from splatworks_operator.crd.schema import Rule, SchemaError, filled_in, structural, told


class Colour(StrEnum):
    """A choice."""

    RED = "Red"
    BLUE = "Blue"


class Leaf(BaseModel):
    """A part."""

    number: int = Field(default=3, ge=1, le=9, description="A number.")
    absent: int | None = Field(default=None, ge=0, description="No number.")


class Tree(BaseModel):
    """A whole."""

    name: str = Field(max_length=5, pattern="^[a-z]+$", description="A name.")
    colour: Colour = Field(default=Colour.RED, description="A colour.")
    leaf: Leaf = Field(default=Leaf(), description="A leaf.")
    colours: tuple[Colour, ...] = Field(
        default=(), max_length=2, description="Colours.", json_schema_extra={"listType": "set"}
    )


def test_a_model_becomes_an_object_without_references() -> None:
    assert structural(Tree, {}) == {
        "description": "A whole.",
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"description": "A name.", "type": "string", "maxLength": 5, "pattern": "^[a-z]+$"},
            "colour": {
                "description": "A colour.",
                "type": "string",
                "enum": ["Red", "Blue"],
                "default": "Red",
            },
            "leaf": {
                "description": "A leaf.",
                "type": "object",
                "properties": {
                    "number": {
                        "description": "A number.",
                        "type": "integer",
                        "format": "int32",
                        "minimum": 1,
                        "maximum": 9,
                        "default": 3,
                    },
                    "absent": {
                        "description": "No number.",
                        "type": "integer",
                        "format": "int64",
                        "minimum": 0,
                    },
                },
                "default": {},
            },
            "colours": {
                "description": "Colours.",
                "type": "array",
                "maxItems": 2,
                "x-kubernetes-list-type": "set",
                "items": {"description": "A choice.", "type": "string", "enum": ["Red", "Blue"]},
            },
        },
    }


def test_a_rule_is_put_where_its_model_is() -> None:
    rule = Rule("self.number > 2", "must be more than 2", ".number", forbidden=True)

    assert structural(Tree, {Leaf: [rule]})["properties"]["leaf"]["x-kubernetes-validations"] == [
        {
            "rule": "self.number > 2",
            "message": "must be more than 2",
            "fieldPath": ".number",
            "reason": "FieldValueForbidden",
        }
    ]


class Forest(BaseModel):
    """Lists of what is not text, and a part that may be missing."""

    heights: tuple[Annotated[float, Field(ge=0, le=0.5)], ...] = Field(
        default=(0.00001, 0.5), min_length=1, max_length=3, description="Heights."
    )
    leaves: tuple[Leaf, ...] | None = Field(default=None, max_length=8, description="Leaves.")
    leaf: Leaf | None = Field(default=None, description="Perhaps a leaf.")


def test_lists_of_numbers_and_of_objects_become_lists() -> None:
    forest = structural(Forest, {Leaf: [Rule("self.number > 2", "must be more than 2")]})["properties"]

    assert forest["heights"] == {
        "description": "Heights.",
        "type": "array",
        "minItems": 1,
        "maxItems": 3,
        "x-kubernetes-list-type": "atomic",
        "items": {"description": "Heights.", "type": "number", "minimum": 0, "maximum": 0.5},
        "default": [0.00001, 0.5],
    }
    assert forest["leaves"]["items"]["properties"].keys() == {"number", "absent"}
    assert forest["leaves"]["items"]["x-kubernetes-validations"]
    assert "default" not in forest["leaves"]


def test_a_part_that_may_be_missing_is_an_object_without_a_default() -> None:
    leaf = structural(Forest, {})["properties"]["leaf"]

    assert (leaf["type"], leaf["description"]) == ("object", "Perhaps a leaf.")
    assert "default" not in leaf


def test_a_default_of_several_small_numbers_is_told_in_plain_digits() -> None:
    assert told(structural(Forest, {}))["properties"]["heights"]["description"] == (
        "Heights. Default 0.00001, 0.5."
    )


class Endless(BaseModel):
    """A text without end."""

    text: str = Field(description="A text.")


class EndlessList(BaseModel):
    """A list without end."""

    numbers: tuple[int, ...] = Field(description="Numbers.")


class Silent(BaseModel):
    """A field without a word."""

    number: int = 1


class Surprising(BaseModel):
    """A part whose default is not what its fields say."""

    leaf: Leaf = Field(default=Leaf(number=4), description="A leaf.")


class Untold(BaseModel):
    """A type that no schema has."""

    anything: Annotated[Any, Field(description="Anything.")]


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Endless, r"Endless\.text is a string without max_length"),
        (EndlessList, r"EndlessList\.numbers is a list without max_length"),
        (Silent, r"Silent\.number has no description"),
        (Surprising, r"Surprising\.leaf has a default that its own fields' defaults do not give"),
        (Untold, r"Untold\.anything has the type None"),
    ],
)
def test_what_no_definition_may_hold_is_refused(model: type[BaseModel], why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        structural(model, {})


def test_rules_for_a_model_that_is_not_there_are_refused() -> None:
    with pytest.raises(SchemaError, match="Endless, which Tree has not"):
        structural(Tree, {Endless: [Rule("true", "never")]})


def test_defaults_are_filled_in_at_every_depth() -> None:
    tree = structural(Tree, {})

    assert filled_in(tree, {"name": "oak"}) == {"name": "oak", "colour": "Red", "leaf": {"number": 3}}
    assert filled_in(tree, {"name": "oak", "leaf": {"absent": 1}})["leaf"] == {"number": 3, "absent": 1}
    assert filled_in({"items": tree}, [{"name": "oak"}])[0]["colour"] == "Red"


def test_defaults_and_limits_are_told_at_every_depth() -> None:
    tree = told(structural(Tree, {}))["properties"]

    assert tree["name"]["description"] == "A name."
    assert tree["colour"]["description"] == "A colour. Default Red."
    assert tree["leaf"]["description"] == "A leaf."
    assert tree["leaf"]["properties"]["number"]["description"] == "A number. Default 3; 1 to 9."
