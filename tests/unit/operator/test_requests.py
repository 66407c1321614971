"""What a job asks for is what its stages are asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from splatworks.v1 import sfm_pb2, trainer_pb2
from splatworks_operator.crd.definition import schema
from splatworks_operator.job import Job
from splatworks_operator.requests import CALLS
from splatworks_operator.spec import SplatJobSpec
from splatworks_operator.status import StageName
from tests.options import Option, options

SAID: dict[str, tuple[Any, Any]] = {
    "maxSteps": (3000, 3000),
    "maxGaussians": (1000, 1000),
    "maxImageSide": (640, 640),
    "shDegree": (1, 1),
    "targetPsnr": (28.5, 28.5),
    "holdOutEvery": (0, 0),
    "seed": (7, 7),
    "checkpointSeconds": (60, 60),
    "engine": ("Gsplat", trainer_pb2.ENGINE_GSPLAT),
    "requireGpu": (True, True),
    "strategy": ("Mcmc", trainer_pb2.STRATEGY_MCMC),
    "resolutionSchedule": (
        [{"size": 0.5, "start": 0}, {"size": 1, "start": 0.25}],
        [
            trainer_pb2.ResolutionLevel(size=0.5, start=0),
            trainer_pb2.ResolutionLevel(size=1, start=0.25),
        ],
    ),
    "plateau.metric": ("CoveredPsnr", trainer_pb2.PLATEAU_METRIC_COVERED_PSNR),
    "plateau.patience": (0, 0),
    "plateau.minDelta": (0.5, 0.5),
    "densify.start": (0.1, 0.1),
    "densify.until": (0.9, 0.9),
    "densify.rounds": (3, 3),
    "densify.growGradient": (0.001, 0.001),
    "densify.splitScale": (0.05, 0.05),
    "prune.opacity": (0.1, 0.1),
    "prune.significance": (0.0, 0.0),
    "shSchedule": ([0.0, 0.5], [0.0, 0.5]),
    "ssimWeight": (0.4, 0.4),
    "exposure": (True, True),
    "background": ("Random", trainer_pb2.BACKGROUND_RANDOM),
    "antialiased": (True, True),
    "holdout": ("EveryN", trainer_pb2.HOLDOUT_EVERY_N),
    "polish": (0.0, 0.0),
    "absgrad": (True, True),
}
"""What a SplatJob says of the training, by path, and what the request then says."""

OPTIONS = {
    option.json_path: option
    for option in options(trainer_pb2.TrainOptions.DESCRIPTOR)
    if option.name != "profile"
}


def asked(train: dict[str, Any], **spec: Any) -> trainer_pb2.TrainOptions:
    """The options in the request of a job's training."""
    whole = {"source": {"uri": "s3://photos/fox"}, "train": train, **spec}
    job = Job("uid", "fox", SplatJobSpec.model_validate(whole), "s3://platform/jobs/uid", slug="fox")
    request: Any = CALLS[StageName.TRAIN].request(job, "uid.train.1")
    found: trainer_pb2.TrainOptions = request.options
    return found


def is_set(message: Any, option: Option) -> bool:
    """Whether a request says something of the option."""
    for field in option.path[:-1]:
        message = getattr(message, field.name)
    return option.field in [field for field, _ in message.ListFields()]


@pytest.mark.parametrize("path", SAID)
def test_what_a_job_says_of_the_training_is_in_the_request(path: str) -> None:
    said, expected = SAID[path]
    *above, last = path.split(".")
    train = {above[0]: {last: said}} if above else {last: said}

    value: Any = asked(train)
    for field in OPTIONS[path].path:
        value = getattr(value, field.name)

    assert (list(value) if isinstance(expected, list) else value) == expected


def test_the_table_above_leaves_no_option_out() -> None:
    assert SAID.keys() == OPTIONS.keys()


def test_what_the_profile_decides_is_left_out_where_nobody_says_it() -> None:
    request = asked({})

    left_out = {option.name for option in OPTIONS.values() if not is_set(request, option)}

    assert left_out == {
        *("max_gaussians", "max_image_side", "resolution_schedule"),
        *("target_psnr", "ssim_weight", "holdout", "hold_out_every"),
    }


@pytest.mark.parametrize("word", ["Draft", "Standard", "High"])
def test_the_profile_is_the_jobs(word: str) -> None:
    assert trainer_pb2.Profile.Name(asked({}, profile=word).profile) == f"PROFILE_{word.upper()}"


SFM = schema()["properties"]["spec"]["properties"]["sfm"]["properties"]


@pytest.mark.parametrize(
    ("field", "name"), [("maxFeatureSize", "max_feature_size"), ("maxFeatures", "max_features")]
)
def test_a_draft_finds_cameras_with_less_as_the_description_says(field: str, name: str) -> None:
    said = re.search(r"\(Draft: ([\d,]+)\)", SFM[field]["description"])

    assert said
    assert getattr(asked_of_sfm({}, profile="Draft"), name) == int(said[1].replace(",", ""))


@pytest.mark.parametrize("profile", ["Standard", "High"])
def test_other_profiles_leave_the_features_to_the_service(profile: str) -> None:
    assert {field.name for field, _ in asked_of_sfm({}, profile=profile).ListFields()} == {"matching", "seed"}


def test_what_a_job_says_of_the_features_goes_over_the_draft() -> None:
    request = asked_of_sfm({"maxFeatures": 8192}, profile="Draft")

    assert (request.max_feature_size, request.max_features) == (1024, 8192)


def asked_of_sfm(sfm: dict[str, Any], **spec: Any) -> sfm_pb2.SfmOptions:
    """The options in the request of a job's reconstruction."""
    whole = {"source": {"uri": "s3://photos/fox"}, "sfm": sfm, **spec}
    job = Job("uid", "fox", SplatJobSpec.model_validate(whole), "s3://platform/jobs/uid", slug="fox")
    request: Any = CALLS[StageName.SFM].request(job, "uid.sfm.1")
    found: sfm_pb2.SfmOptions = request.options
    return found
