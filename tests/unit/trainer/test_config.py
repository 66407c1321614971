from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from splatworks_common.reasons import InvalidField
from splatworks_trainer.config import DRAFT, STANDARD, TrainOptions


def test_draft_trains_at_480_pixels_and_standard_at_960() -> None:
    assert (DRAFT.max_image_side, STANDARD.max_image_side) == (480, 960)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_steps", -1),
        ("steps_for_50_photos", 0),
        ("max_gaussians", 10),
        ("max_image_side", 8),
        ("sh_degree", 4),
        ("sh_schedule", (-0.1,)),
        ("ssim_weight", 1.5),
        ("ssim_weight", float("nan")),
        ("densify_until", 1.1),
        ("target_psnr", 0.0),
        ("plateau_patience", -1),
        ("hold_out_every", 1),
        ("hold_out_every", 1001),
        ("seed", -1),
        ("resolution_schedule", ()),
        ("resolution_schedule", ((0.5, 0.0),)),
        ("resolution_schedule", ((1.0, 0.2),)),
        ("resolution_schedule", ((1.0, 0.0), (0.5, 0.5))),
        ("resolution_schedule", ((0.5, 0.0), (1.0, 1.0))),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidField) as refusal:
        replace(STANDARD, **{field: value})

    assert refusal.value.field == field


@pytest.mark.parametrize("every", [0, 2])
def test_none_or_every_other_photo_may_be_held_out(every: int) -> None:
    assert TrainOptions(hold_out_every=every).hold_out_every == every


def test_the_refusal_says_what_is_allowed() -> None:
    with pytest.raises(InvalidField, match=r"10 is not from 32 to 8192 \(pixels\)"):
        TrainOptions(max_image_side=10)


def test_densifying_must_not_end_before_it_begins() -> None:
    with pytest.raises(InvalidField, match=r"densify_until: 0\.4 is less than densify_start"):
        TrainOptions(densify_start=0.5, densify_until=0.4)
