"""What ``splatworks run`` takes, refuses and says, before anything is started."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from splatworks_operator.cli import run as command
from splatworks_operator.cli.app import app
from splatworks_operator.spec import Profile

OLDER = '{"s3Url": "s3://splatworks/fox", "max_iterations": 100, "optimization_enabled": false}'


def refused(*words: object):
    ended = CliRunner().invoke(app, ["run", *map(str, words)])
    assert ended.exit_code == 2
    return ended.stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--set", "train.maxStep=3"], "spec.train.maxStep does not exist: did you mean maxSteps?"),
        (["--set", "train.plateau.patience=-1"], "spec.train.plateau.patience can not be -1"),
        (["--set", "train.seed"], "write it as PATH=VALUE"),
        (["--set", "priority=3"], "--set priority: a run on this machine has only profile, sfm, train"),
        (["--set", "source.uri=s3://a/b"], "--set source: a run on this machine has only"),
        (["--hold-out-every", "1"], "spec.train.holdOutEvery can not be 1"),
        (["--profile", "ultra"], "ultra"),
    ],
)
def test_what_can_not_be_chosen_is_refused_before_anything_starts(tmp_path, words, complaint):
    assert complaint in refused(tmp_path, *words)


def test_a_job_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "job.json").write_text('{"max_iteration": 5}')
    assert "did you mean max_iterations" in refused(tmp_path, "--job", tmp_path / "job.json")


def test_a_job_file_that_is_not_there_is_named(tmp_path):
    ended = CliRunner().invoke(app, ["run", str(tmp_path), "--job", str(tmp_path / "job.json")])
    assert ended.exit_code == 1
    assert str(tmp_path / "job.json") in ended.stderr


def test_flags_go_over_the_job_file_and_settings_over_both(tmp_path):
    (tmp_path / "job.json").write_text(OLDER)
    chosen = command.choices(
        Profile.HIGH, 10, ["train.plateau.patience=3", "sfm.maxFeatures=512"], tmp_path / "job.json"
    )
    train = chosen.train
    assert (chosen.profile, chosen.sfm.max_features) == (Profile.HIGH, 512)
    assert (train.hold_out_every, train.max_steps, train.plateau.patience) == (10, 100, 3)
    assert train.prune.significance == 0


def test_the_command_that_serves_a_scene_chooses_what_made_it():
    said = (Profile.HIGH, 10, ["publish.title=A=B", "train.holdout=None"], Path("my job.json"))
    words = shlex.split(command.serve_command(Path("my photos"), Path("out"), *said))
    group: Any = typer.main.get_command(app)
    parsed = group.commands["run"].make_context("run", words[2:]).params
    assert (parsed["photos"], parsed["out"], parsed["serve"]) == (Path("my photos"), Path("out"), True)
    assert (parsed["profile"], parsed["hold_out_every"], parsed["settings"], parsed["job"]) == said


def test_the_command_that_serves_a_scene_says_no_more_than_was_said():
    words = shlex.split(command.serve_command(Path("photos"), Path("out"), Profile.DRAFT, None, (), None))
    assert words[1:] == ["run", "photos", "-o", "out", "--profile", "draft", "--serve"]
