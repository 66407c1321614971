"""What the server checks before it starts a training."""

from __future__ import annotations

from typing import Any

import pytest

from splatworks.v1 import trainer_pb2
from splatworks_common.reasons import InvalidField
from splatworks_trainer.stage import STAGE


def parameters(**options: Any) -> dict[str, Any]:
    return dict(STAGE.parameters(trainer_pb2.TrainRequest(options=trainer_pb2.TrainOptions(**options))))


@pytest.mark.parametrize(
    ("profile", "side"),
    [
        (trainer_pb2.PROFILE_UNSPECIFIED, 960),
        (trainer_pb2.PROFILE_STANDARD, 960),
        (trainer_pb2.PROFILE_DRAFT, 480),
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
    ],
)
def test_a_value_that_can_not_be_used_is_refused_by_the_requests_field(field: str, value: float) -> None:
    with pytest.raises(InvalidField) as refusal:
        parameters(**{field: value})

    assert refusal.value.field == f"options.{field}"
