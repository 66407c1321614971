"""The options: their ranges, and what follows from them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from splatworks_common.reasons import InvalidField
from splatworks_compressor.config import PRESETS, STEPS, CompressOptions, Quality


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("palette_entries", -1),
        ("palette_entries", 65537),
        ("palette_iterations", 0),
        ("measured_views", 0),
        ("seed", -1),
        ("quality", "best"),
    ],
)
def test_values_out_of_range_name_their_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidField) as raised:
        CompressOptions(**{field: value})

    assert raised.value.field == field


def test_quality_may_be_its_name() -> None:
    assert CompressOptions(quality="small").quality is Quality.SMALL  # type: ignore[arg-type]


def test_every_quality_has_a_preset() -> None:
    assert set(PRESETS) == set(Quality)


def test_shares_of_the_steps_sum_to_one() -> None:
    assert sum(STEPS.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("gaussians", "entries"), [(1, 64), (256, 64), (257, 128), (90_000, 22_528), (10_000_000, 49_152)]
)
def test_palette_grows_with_the_scene_in_whole_rows(gaussians: int, entries: int) -> None:
    assert CompressOptions().palette_size(gaussians) == entries


def test_chosen_palette_size_is_used() -> None:
    assert CompressOptions(palette_entries=100).palette_size(1_000_000) == 100


def test_better_quality_has_more_entries() -> None:
    sizes = [CompressOptions(quality=quality).palette_size(100_000) for quality in Quality]

    assert sizes == sorted(sizes, reverse=True)


def test_options_load_without_the_kernels() -> None:
    code = "import sys, splatworks_compressor.config; sys.exit('splatworks_rasterizer' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
