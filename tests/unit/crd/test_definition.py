"""The definition as a whole: it is the committed one, explains itself and has limits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from splatworks_operator.crd.definition import definition, schema

FILE = Path("charts/splatworks/files/crd/splatjobs.yaml")


def fields(of: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field and every kind of list item in a schema, by its path."""
    for name, field in of.get("properties", {}).items():
        yield f"{path}{name}", field
        yield from fields(field, f"{path}{name}.")
    if "items" in of:
        yield f"{path}[]", of["items"]
        yield from fields(of["items"], path)


FIELDS = {path: field for path, field in fields(schema()) if path != "metadata"}


def test_the_committed_definition_is_that_of_the_models(repository: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "splatjobs.yaml"
    subprocess.run(
        [sys.executable, repository / "scripts" / "generate_crd.py", "--output", fresh], check=True
    )

    assert (repository / FILE).read_text() == fresh.read_text(), "run `make api` and commit what it writes"


def test_the_committed_file_holds_the_definition_alone(repository: Path) -> None:
    assert yaml.safe_load((repository / FILE).read_text()) == definition()


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_is_described_in_sentences(path: str) -> None:
    description = FIELDS[path]["description"]

    assert description[0].isupper() or description.startswith(("host:port", "An s3://"))
    assert description.endswith(".")
    assert "\n" not in description


@pytest.mark.parametrize("path", [path for path, field in FIELDS.items() if field["type"] == "string"])
def test_a_text_has_a_greatest_length(path: str) -> None:
    field = FIELDS[path]

    assert (
        {"maxLength", "enum"} & field.keys()
        or field.get("format") == "date-time"
        or path in ("apiVersion", "kind")
    )


@pytest.mark.parametrize("path", [path for path, field in FIELDS.items() if field["type"] == "array"])
def test_a_list_has_a_greatest_length_and_says_how_it_is_merged(path: str) -> None:
    field = FIELDS[path]

    assert field["maxItems"] <= 32
    assert field["x-kubernetes-list-type"] in ("atomic", "set", "map")


def test_nothing_in_the_schema_needs_another_place_or_may_be_null() -> None:
    unknown = {"$ref", "anyOf", "allOf", "oneOf", "nullable", "title", "additionalProperties", "const"}

    assert [path for path, field in FIELDS.items() if unknown & field.keys()] == []
