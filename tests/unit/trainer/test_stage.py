"""What the server checks before it starts a training."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from splatworks.v1 import trainer_pb2
from splatworks_common.reasons import InvalidField
from splatworks_trainer.config import Background, EngineName, Holdout, PlateauMetric, StrategyName
from splatworks_trainer.stage import STAGE


def parameters(**options: Any) -> dict[str, Any]:
    return dict(STAGE.parameters(trainer_pb2.TrainRequest(options=trainer_pb2.TrainOptions(**options))))


@pytest.mark.parametrize(
    ("profile", "side"),
    [
        (trainer_pb2.PROFILE_UNSPECIFIED, 960),
        (trainer_pb2.PROFILE_STANDARD, 960),
        (trainer_pb2.PROFILE_DRAFT, 480),
        (trainer_pb2.PROFILE_HIGH, 1280),
    ],
)
def test_the_profile_gives_the_defaults(profile: int, side: int) -> None:
    assert parameters(profile=profile)["max_image_side"] == side


def test_an_option_of_the_request_goes_over_the_profile() -> None:
    given = parameters(profile=trainer_pb2.PROFILE_DRAFT, max_image_side=640)

    assert (given["max_image_side"], given["max_gaussians"]) == (640, 50_000)


def test_how_often_the_state_is_kept_makes_no_other_result() -> None:
    assert parameters(checkpoint_seconds=600) == parameters()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("profile", 99),
        ("max_steps", 10**9),
        ("max_steps", -1),
        ("max_gaussians", 99),
        ("max_image_side", 10**6),
        ("sh_degree", 4),
        ("target_psnr", float("nan")),
        ("target_psnr", float("inf")),
        ("hold_out_every", 1),
        ("seed", -1),
        ("checkpoint_seconds", 4),
        ("ssim_weight", 1.5),
        ("polish", -0.1),
        ("polish", float("nan")),
        ("sh_schedule", [0.3, 0.2]),
        ("sh_schedule", [0.1, 0.2, 0.3, 0.4]),
        ("resolution_schedule", [trainer_pb2.ResolutionLevel(size=0.5)]),
        ("resolution_schedule", [trainer_pb2.ResolutionLevel(size=1, start=0.5)]),
        ("engine", 99),
        ("strategy", 99),
        ("background", 99),
        ("holdout", 99),
    ],
)
def test_a_value_that_can_not_be_used_is_refused_by_the_requests_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidField) as refusal:
        parameters(**{field: value})

    assert refusal.value.field == f"options.{field}"


@pytest.mark.parametrize(
    ("message", "field", "value"),
    [
        ("plateau", "metric", 99),
        ("plateau", "patience", -1),
        ("plateau", "min_delta", 10.5),
        ("densify", "start", -0.1),
        ("densify", "until", 1.1),
        ("densify", "rounds", 1001),
        ("densify", "grow_gradient", 0.0),
        ("densify", "split_scale", 2.0),
        ("prune", "opacity", 0.6),
        ("prune", "significance", float("nan")),
    ],
)
def test_a_value_inside_a_message_is_refused_by_its_path(message: str, field: str, value: float) -> None:
    with pytest.raises(InvalidField) as refusal:
        parameters(**{message: {field: value}})

    assert refusal.value.field == f"options.{message}.{field}"


def test_a_start_after_the_usual_end_is_refused_by_the_path_of_the_end() -> None:
    with pytest.raises(InvalidField) as refusal:
        parameters(densify={"start": 0.9})

    assert refusal.value.field == "options.densify.until"


@pytest.mark.parametrize("field", ["absgrad", "require_gpu"])
def test_what_only_gsplat_can_do_is_refused_with_the_native_engine(field: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parameters(engine=trainer_pb2.ENGINE_NATIVE, **{field: True})

    assert refusal.value.field == f"options.{field}"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Holdout.AUTO),
        ({"hold_out_every": 5}, Holdout.EVERY_N),
        ({"hold_out_every": 0}, Holdout.EVERY_N),
        ({"hold_out_every": 5, "holdout": trainer_pb2.HOLDOUT_AUTO}, Holdout.AUTO),
        ({"hold_out_every": 5, "holdout": trainer_pb2.HOLDOUT_NONE}, Holdout.NONE),
    ],
)
def test_a_number_of_photos_says_every_n_unless_the_request_says_otherwise(
    options: dict[str, int], expected: Holdout
) -> None:
    assert parameters(**options)["holdout"] is expected


@pytest.mark.parametrize(
    ("field", "enum", "choices"),
    [
        ("engine", trainer_pb2.Engine, EngineName),
        ("strategy", trainer_pb2.Strategy, StrategyName),
        ("background", trainer_pb2.Background, Background),
        ("holdout", trainer_pb2.Holdout, Holdout),
    ],
)
def test_every_choice_of_a_request_is_the_stages_of_that_name(
    field: str, enum: Any, choices: type[StrEnum]
) -> None:
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")

    chosen = {name: parameters(**{field: number})[field] for name, number in enum.items() if number}

    assert chosen == {f"{prefix}{choice.name}": choice for choice in choices}


def test_every_metric_of_a_plateau_is_the_stages_of_that_name() -> None:
    chosen = {
        name: parameters(plateau={"metric": number})["plateau_metric"]
        for name, number in trainer_pb2.PlateauMetric.items()
        if number
    }

    assert chosen == {f"PLATEAU_METRIC_{metric.name}": metric for metric in PlateauMetric}


def test_options_inside_messages_and_lists_arrive() -> None:
    given = parameters(
        resolution_schedule=[{"size": 0.5}, {"size": 1, "start": 0.25}],
        sh_schedule=[0.0, 0.5],
        plateau={"patience": 7, "min_delta": 0.5},
        densify={"start": 0.1, "until": 0.3, "rounds": 4, "grow_gradient": 0.001, "split_scale": 0.02},
        prune={"opacity": 0.01, "significance": 0.0},
    )

    assert given["resolution_schedule"] == ((0.5, 0.0), (1.0, 0.25))
    assert given["sh_schedule"] == (0.0, 0.5)
    assert (given["plateau_patience"], given["plateau_min_delta"]) == (7, 0.5)
    assert (given["densify_start"], given["densify_until"], given["densify_rounds"]) == (0.1, 0.3, 4)
    assert (given["densify_grow_gradient"], given["densify_split_scale"]) == (0.001, 0.02)
    assert (given["prune_opacity"], given["prune_significance"]) == (0.01, 0.0)
