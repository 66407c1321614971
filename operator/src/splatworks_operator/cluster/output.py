"""The forms in which the commands show SplatJobs: for people, and for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import yaml

from splatworks_operator.cluster.splatjob import SplatJob


class Form(StrEnum):
    """How to show what was found."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def for_programs(form: Form, jobs: Sequence[SplatJob], *, as_list: bool) -> str:
    """Jobs in a form that programs read.

    Args:
        form: JSON, YAML or NAME.
        jobs: The jobs.
        as_list: Whether they are a list even where there is one only.
    """
    if form is Form.NAME:
        return "\n".join(job.full_name for job in jobs)
    resources = [_without_bookkeeping(job.resource) for job in jobs]
    shown: Mapping[str, Any] = (
        {"apiVersion": "v1", "kind": "List", "items": resources} if as_list else resources[0]
    )
    return json.dumps(shown, indent=2) if form is Form.JSON else as_yaml(shown)


def as_yaml(*documents: Mapping[str, Any]) -> str:
    """Objects as YAML, in the order of their fields."""
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=110).rstrip("\n")


def _without_bookkeeping(resource: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in resource["metadata"].items() if name != "managedFields"}
    return {**resource, "metadata": metadata}
