from __future__ import annotations

from dataclasses import dataclass

import pytest

from splatworks.v1 import sfm_pb2
from splatworks_common import options
from splatworks_common.reasons import InvalidField


@dataclass(frozen=True)
class Options:
    max_features: int = 4096
    seed: int = 0
    matching: str = "auto"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InvalidField("seed", "must not be negative")


def test_fields_left_out_keep_their_defaults():
    assert options.merged(Options(), sfm_pb2.SfmOptions(seed=3), matching=None) == Options(seed=3)


def test_a_field_set_to_zero_is_set():
    assert options.merged(Options(seed=9), sfm_pb2.SfmOptions(seed=0), matching=None).seed == 0


def test_translated_values_replace_enums():
    message = sfm_pb2.SfmOptions(matching=sfm_pb2.MATCHING_SEQUENTIAL)
    assert options.merged(Options(), message, matching="sequential").matching == "sequential"


def test_a_value_out_of_range_names_the_field_as_the_caller_knows_it():
    with pytest.raises(InvalidField) as refusal:
        options.merged(Options(), sfm_pb2.SfmOptions(seed=-1), matching=None)
    assert refusal.value.field == "options.seed"
