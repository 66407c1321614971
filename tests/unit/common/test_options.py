from __future__ import annotations

from dataclasses import dataclass

import pytest

from splatworks.v1 import sfm_pb2, trainer_pb2
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


@dataclass(frozen=True)
class Nested:
    seed: int = 0
    plateau_patience: int = 2
    plateau_min_delta: float = 0.02
    densify_start: float = 0.02
    plateau_metric: str = "psnr"

    def __post_init__(self) -> None:
        if self.plateau_patience < 0:
            raise InvalidField("plateau_patience", "must not be negative")


def test_a_field_inside_a_message_is_called_by_both_names():
    message = trainer_pb2.TrainOptions(
        plateau=trainer_pb2.PlateauOptions(patience=5, min_delta=0.1),
        densify=trainer_pb2.DensifyOptions(start=0.0),
    )
    expected = Nested(plateau_patience=5, plateau_min_delta=0.1, densify_start=0.0)
    assert options.merged(Nested(), message) == expected


def test_an_empty_message_inside_sets_nothing():
    message = trainer_pb2.TrainOptions(plateau=trainer_pb2.PlateauOptions())
    assert options.merged(Nested(), message) == Nested()


def test_a_choice_inside_a_message_is_translated_by_its_whole_name():
    message = trainer_pb2.TrainOptions(
        plateau=trainer_pb2.PlateauOptions(metric=trainer_pb2.PLATEAU_METRIC_SSIM)
    )
    assert options.merged(Nested(), message, plateau_metric="ssim").plateau_metric == "ssim"


def test_a_value_out_of_range_inside_a_message_is_named_by_its_path():
    message = trainer_pb2.TrainOptions(plateau=trainer_pb2.PlateauOptions(patience=-1))
    with pytest.raises(InvalidField) as refusal:
        options.merged(Nested(), message)
    assert refusal.value.field == "options.plateau.patience"


def test_a_default_that_can_not_be_beside_what_is_given_is_named_by_its_path_though_it_is_not_set():
    with pytest.raises(InvalidField) as refusal:
        options.merged(Nested(), trainer_pb2.TrainOptions(seed=3), plateau_patience=-1)
    assert refusal.value.field == "options.plateau.patience"


@dataclass(frozen=True)
class Unknown:
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed:
            raise InvalidField("gaps", "must not be there with a seed")


def test_an_option_that_no_request_has_is_named_as_the_stage_has_it():
    with pytest.raises(InvalidField) as refusal:
        options.merged(Unknown(), trainer_pb2.TrainOptions(seed=3))
    assert refusal.value.field == "options.gaps"
