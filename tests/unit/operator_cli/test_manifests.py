from __future__ import annotations

from pathlib import Path

import pytest

from splatworks_operator.cluster.errors import WrongUsage
from splatworks_operator.cluster.manifests import (
    assignments,
    checked,
    fields,
    job_name,
    manifest,
    merged,
    read,
    read_older_job,
)

SPEC = {"source": {"uri": "s3://splatworks/captures/fox"}}
FILE = """
apiVersion: splatworks.dev/v1alpha1
kind: SplatJob
metadata: {name: fox, labels: {team: a}}
spec: {source: {uri: s3://splatworks/captures/fox}, train: {maxSteps: 100, seed: 7}}
"""


def test_what_nobody_said_is_left_to_the_cluster():
    assert checked({**SPEC, "train": {"maxSteps": 3000}}) == {**SPEC, "train": {"maxSteps": 3000}}


def test_every_field_that_is_wrong_is_named():
    with pytest.raises(WrongUsage) as caught:
        checked({**SPEC, "profile": "Best", "train": {"shDegree": 9}})
    assert "spec.profile can not be 'Best'" in str(caught.value)
    assert "spec.train.shDegree can not be 9" in str(caught.value)


def test_a_field_that_does_not_exist_is_answered_with_the_one_that_was_meant():
    with pytest.raises(
        WrongUsage, match=r"spec\.artifactPolicy\.ondelete does not exist: did you mean onDelete"
    ):
        checked({**SPEC, "artifactPolicy": {"ondelete": "Retain"}})


def test_a_source_that_is_missing_is_named():
    with pytest.raises(WrongUsage, match=r"spec\.source is missing; see 'splatworks explain source'"):
        checked({})


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("priority=5", {"priority": 5}),
        ("spec.publish.enabled=false", {"publish": {"enabled": False}}),
        ("publish.title=A=B", {"publish": {"title": "A=B"}}),
        ("train.targetPsnr=28.5", {"train": {"targetPsnr": 28.5}}),
    ],
)
def test_a_setting_is_a_path_and_a_yaml_value(text, spec):
    assert assignments([text]) == spec


def test_settings_of_one_stage_add_up():
    assert assignments(["train.seed=1", "train.maxSteps=2"]) == {"train": {"seed": 1, "maxSteps": 2}}


@pytest.mark.parametrize("text", ["train.seed", "=1", "train.seed=[1"])
def test_a_setting_of_another_form_is_refused(text):
    with pytest.raises(WrongUsage, match="--set"):
        assignments([text])


def test_flags_that_were_not_given_say_nothing():
    assert fields({"train.maxSteps": None, "priority": 0}) == {"priority": 0}


def test_what_lies_over_wins_field_by_field():
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}) == {"a": {"b": 1, "c": 3}}


def test_a_file_keeps_what_else_it_says_and_flags_win_over_its_spec():
    [document] = read(Path("fox.yaml"), FILE, over={"train": {"maxSteps": 5}}, namespace="foxes")
    assert document["metadata"] == {"name": "fox", "labels": {"team": "a"}, "namespace": "foxes"}
    assert document["spec"]["train"] == {"maxSteps": 5, "seed": 7}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not YAML"),
        ("", "There is no SplatJob"),
        ("kind: Pod", "holds something else"),
        ("- 1", "holds something else"),
        (FILE.replace("name: fox, ", ""), "has no metadata.name"),
        (FILE.replace("name: fox", "name: fox, namespace: wolves"), "belongs to namespace wolves, not foxes"),
    ],
)
def test_a_file_that_is_no_splatjob_is_refused(text, complaint):
    with pytest.raises(WrongUsage, match=complaint):
        read(Path("fox.yaml"), text, over={}, namespace="foxes")


OLDER = '{"jobName": "Red fox", "s3Url": "s3://splatworks/captures/fox", "options": {"max_iterations": 100}}'


def test_an_older_job_becomes_a_splatjob_and_flags_win_over_it():
    [document] = read(Path("job.json"), OLDER, over={"train": {"seed": 5}}, namespace="foxes")
    assert document == {
        "apiVersion": "splatworks.dev/v1alpha1",
        "kind": "SplatJob",
        "metadata": {"name": "red-fox", "namespace": "foxes"},
        "spec": {
            "source": {"uri": "s3://splatworks/captures/fox"},
            "train": {"maxSteps": 100, "seed": 5},
        },
    }


def test_an_older_job_without_a_name_is_called_as_its_photos_are():
    [document] = read(Path("job.json"), '{"s3Url": "s3://splatworks/a/fox.zip"}', over={}, namespace=None)
    assert document["metadata"] == {"name": "fox"}


def test_the_photos_of_an_older_job_may_be_said_beside_it():
    over = {"source": {"uri": "s3://splatworks/captures/owl"}}
    [document] = read(Path("job.json"), '{"gpu_acceleration": false}', over=over, namespace=None)
    assert document["metadata"] == {"name": "owl"}
    assert document["spec"] == {**over, "train": {"engine": "Native"}}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"max_iterations": 100}', r"spec\.source is missing"),
        ('{"s3Url": "s3://splatworks/fox", "max_iterations": -1}', r"spec\.train\.maxSteps can not be -1"),
        ('{"s3Url": "s3://splatworks/fox", "plateau_patiance": 1}', "did you mean plateau_patience"),
    ],
)
def test_an_older_job_that_can_not_be_is_refused(text, complaint):
    with pytest.raises(WrongUsage, match=complaint):
        read(Path("job.json"), text, over={}, namespace=None)


def test_the_options_of_an_older_job_can_be_read_by_themselves():
    assert read_older_job(Path("job.json"), OLDER)["train"] == {"maxSteps": 100}


@pytest.mark.parametrize("text", [FILE, "", "{}", "[1]", OLDER + "\n---\n" + OLDER])
def test_what_is_not_one_older_job_is_not_read_as_one(text):
    with pytest.raises(WrongUsage, match="is not a JSON object with the options of one older job"):
        read_older_job(Path("job.json"), text)


def test_a_field_of_a_list_is_explained_by_its_own_path():
    with pytest.raises(WrongUsage, match=r"resolutionSchedule\.0\.size .*'splatworks explain train\.resolut"):
        checked({**SPEC, "train": {"resolutionSchedule": [{"size": 2, "start": 0}]}})


@pytest.mark.parametrize(("slug", "name"), [("fox", "fox"), ("2024", "scene-2024"), ("a" * 63, "a" * 52)])
def test_any_slug_gives_a_name_that_the_cluster_takes(slug, name):
    assert job_name(slug) == name


@pytest.mark.parametrize("name", ["Fox", "2024", "fox-", "a" * 53, ""])
def test_a_name_that_the_cluster_would_refuse_is_refused_before(name):
    with pytest.raises(WrongUsage, match="is no name for a SplatJob"):
        manifest(name, None, SPEC)
