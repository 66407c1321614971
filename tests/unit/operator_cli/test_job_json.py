from __future__ import annotations

from pathlib import Path

import pytest

from splatworks_operator.cluster.errors import WrongUsage
from splatworks_operator.cluster.job_json import NAMES, NUMBERS, SWITCHES, TEXTS, is_older_job, read
from splatworks_operator.cluster.manifests import checked, fields

FILE = Path("job.json")
ONE_SIZE = [{"size": 1, "start": 0}]

TABLE = [
    ("progressive_resolution", True, {}),
    ("progressive_resolution", False, {"train.resolutionSchedule": ONE_SIZE}),
    ("psnr_plateau_termination", True, {}),
    ("psnr_plateau_termination", False, {"train.plateau.patience": 0}),
    ("target_psnr", 28.5, {"train.targetPsnr": 28.5}),
    ("max_iterations", 3000, {"train.maxSteps": 3000}),
    ("plateau_patience", 5, {"train.plateau.patience": 5}),
    ("optimization_enabled", True, {}),
    (
        "optimization_enabled",
        False,
        {
            "train.resolutionSchedule": ONE_SIZE,
            "train.plateau.patience": 0,
            "train.prune.significance": 0,
        },
    ),
    ("gpu_acceleration", True, {"train.engine": "Auto"}),
    ("gpu_acceleration", False, {"train.engine": "Native"}),
    ("sogs_compression", True, {}),
    ("sogs_compression", False, {"compress.quality": "High"}),
    ("s3Url", "s3://splatworks/captures/fox", {"source.uri": "s3://splatworks/captures/fox"}),
    ("inputS3Uri", "s3://splatworks/captures/fox", {"source.uri": "s3://splatworks/captures/fox"}),
]
"""An option, its value, and what it says of a spec."""


@pytest.mark.parametrize(("name", "value", "said"), TABLE)
def test_an_option_says_fields_of_a_splatjob(name, value, said):
    assert read(FILE, {name: value}).fields == said


@pytest.mark.parametrize(("name", "value", "said"), TABLE)
def test_what_an_option_says_is_what_a_splatjob_can_say(name, value, said):
    checked(fields({"source.uri": "s3://splatworks/captures/fox", **read(FILE, {name: value}).fields}))


def test_the_table_above_leaves_no_option_out():
    assert {name for name, _, _ in TABLE} == {*TEXTS, *NUMBERS, *SWITCHES}


@pytest.mark.parametrize("group", ["options", "training"])
def test_options_may_stand_in_an_object_of_their_own(group):
    job = read(FILE, {"jobName": "fox", group: {"max_iterations": 3000}})
    assert (job.name, job.fields) == ("fox", {"train.maxSteps": 3000})


def test_the_name_of_a_job_goes_over_its_id():
    assert read(FILE, {"jobId": "a-1", "jobName": "fox"}).name == "fox"
    assert read(FILE, {"jobId": "a-1", "jobName": None}).name == "a-1"


def test_null_is_as_good_as_not_said():
    assert read(FILE, {"target_psnr": None, "progressive_resolution": None}).fields == {}


def test_a_stop_that_is_switched_off_has_no_patience():
    job = read(FILE, {"psnr_plateau_termination": False, "plateau_patience": 5})
    assert job.fields == {"train.plateau.patience": 0}


def test_without_optimization_nothing_that_it_switches_off_is_on():
    job = read(FILE, {"optimization_enabled": False, "progressive_resolution": True, "plateau_patience": 5})
    assert job.fields["train.resolutionSchedule"] == ONE_SIZE
    assert job.fields["train.plateau.patience"] == 0


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"max_iteration": 5}, "max_iteration is no option of an older job: did you mean max_iterations?"),
        ({"options": {"targetPsnr": 5}}, "did you mean target_psnr?"),
        ({"max_iterations": 5, "email": "a@b"}, r"email is no option of an older job\. Its options are"),
        ({"max_iterations": 5, "options": {"max_iterations": 5}}, "max_iterations twice"),
        ({"s3Url": "s3://photos/a", "inputS3Uri": "s3://photos/b"}, "inputS3Uri says something else"),
        ({"max_iterations": True}, "max_iterations must be a number, not True"),
        ({"target_psnr": "30"}, "target_psnr must be a number, not '30'"),
        ({"gpu_acceleration": "yes"}, "gpu_acceleration must be true or false, not 'yes'"),
        ({"gpu_acceleration": 1}, "gpu_acceleration must be true or false, not 1"),
        ({"jobName": 7}, "jobName must be a text, not 7"),
        ({"jobName": ""}, "jobName must be a text"),
    ],
)
def test_what_it_does_not_know_is_refused(document, complaint):
    with pytest.raises(WrongUsage, match=complaint):
        read(FILE, document)


@pytest.mark.parametrize(
    "document",
    [
        {"apiVersion": "splatworks.dev/v1alpha1", "kind": "SplatJob", "options": {"max_iterations": 5}},
        {"metadata": {"name": "fox"}, "spec": {"source": {"uri": "s3://photos/fox"}}},
        {},
        [],
        "max_iterations",
        None,
    ],
)
def test_something_else_is_no_older_job(document):
    assert not is_older_job(document)


def test_every_option_is_explained_to_people(repository):
    text = (repository / "operator" / "README.md").read_text()
    assert [name for name in (*NAMES, *TEXTS, *NUMBERS, *SWITCHES) if f"`{name}`" not in text] == []
