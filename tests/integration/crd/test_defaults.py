"""What the API server fills in."""

from __future__ import annotations

import pytest

from splatworks_operator.spec import SplatJobSpec
from tests.integration.crd.splatjobs import SOURCE, SplatJobs

pytestmark = pytest.mark.kube


def test_a_job_with_nothing_but_photos_comes_back_filled_in(verdicts: SplatJobs) -> None:
    spec = verdicts.create(dry_run=True)["spec"]

    assert spec == {
        "source": SOURCE,
        "output": {},
        "profile": "Standard",
        "sfm": {"matching": "Auto", "seed": 0},
        "train": {
            "maxSteps": 0,
            "engine": "Auto",
            "requireGpu": False,
            "strategy": "Auto",
            "shDegree": 3,
            "shSchedule": [0.1, 0.2, 0.3],
            "plateau": {"metric": "Psnr", "patience": 2, "minDelta": 0.02},
            "densify": {
                "start": 0.02,
                "until": 0.5,
                "rounds": 24,
                "growGradient": 0.0002,
                "splitScale": 0.01,
            },
            "prune": {"opacity": 0.005, "significance": 0.0001},
            "exposure": False,
            "background": "Black",
            "antialiased": False,
            "polish": 0.1,
            "absgrad": False,
            "seed": 0,
            "checkpointSeconds": 45,
        },
        "compress": {"quality": "Default"},
        "publish": {"enabled": True},
        "suspend": False,
        "terminate": False,
        "priority": 0,
        "failurePolicy": {
            "maxAttemptsPerStage": 3,
            "maxUncountedAttemptsPerStage": 30,
            "backoff": {"initialSeconds": 1, "factor": 2, "maxSeconds": 60},
        },
        "artifactPolicy": {"intermediates": "Retain", "onDelete": "Delete", "forceFinalizerRemoval": False},
        "cachePolicy": "Reuse",
    }


def test_the_api_server_fills_in_what_the_models_do(verdicts: SplatJobs) -> None:
    spec = verdicts.create(dry_run=True)["spec"]

    assert SplatJobSpec.model_validate(spec) == SplatJobSpec.model_validate({"source": SOURCE})


def test_an_object_given_in_part_is_filled_up(verdicts: SplatJobs) -> None:
    spec = verdicts.create({"failurePolicy": {"backoff": {"factor": 3}}}, dry_run=True)["spec"]

    assert spec["failurePolicy"]["backoff"] == {"initialSeconds": 1, "factor": 3, "maxSeconds": 60}
    assert spec["failurePolicy"]["maxAttemptsPerStage"] == 3
