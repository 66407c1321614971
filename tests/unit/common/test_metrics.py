"""A worker's metrics before anything has happened."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from splatworks_common.metrics import StageMetrics
from splatworks_common.reasons import Reason


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        *(("splatworks_stage_operations_total", {"outcome": outcome}) for outcome in ("Succeeded", *Reason)),
        ("splatworks_stage_duration_seconds_count", {}),
        ("splatworks_stage_slots_used", {}),
    ],
)
def test_a_series_is_zero_before_the_first_operation(name: str, labels: dict[str, str]) -> None:
    registry = CollectorRegistry()
    StageMetrics(registry, "train", capacity=1)

    assert registry.get_sample_value(name, {"stage": "train", **labels}) == 0
