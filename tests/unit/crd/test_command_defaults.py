"""The commands leave to SplatJob's defaults whatever a person does not say, or have the same ones."""

from __future__ import annotations

from typing import Any

import typer
import yaml
from typer.testing import CliRunner

from splatworks_operator.cli.app import app
from splatworks_operator.crd.definition import schema

SPEC = schema()["properties"]["spec"]["properties"]


def default_of(command: str, option: str) -> Any:
    """What an option of a command is where nobody says it."""
    group: Any = typer.main.get_command(app)
    return next(param.default for param in group.commands[command].params if param.name == option)


def test_run_takes_the_profile_that_a_job_does() -> None:
    assert default_of("run", "profile").lower() == SPEC["profile"]["default"].lower()


def test_run_reuses_finished_work_as_a_job_does() -> None:
    assert default_of("run", "reuse") == (SPEC["cachePolicy"]["default"] == "Reuse")


def test_submit_says_nothing_that_the_person_did_not() -> None:
    done = CliRunner().invoke(app, ["submit", "s3://splatworks/photos/fox/", "--dry-run"])

    assert done.exit_code == 0
    assert yaml.safe_load(done.stdout)["spec"] == {"source": {"uri": "s3://splatworks/photos/fox/"}}
