"""What the server checks before it starts a reconstruction."""

from __future__ import annotations

from typing import Any

import pytest

from splatworks.v1 import sfm_pb2
from splatworks_common.reasons import InvalidField
from splatworks_common.stages import Credentials
from splatworks_sfm.config import Matching
from splatworks_sfm.stage import STAGE


def parameters(**options: Any) -> dict[str, Any]:
    return dict(STAGE.parameters(sfm_pb2.ReconstructRequest(options=sfm_pb2.SfmOptions(**options))))


@pytest.mark.parametrize(
    ("given", "matching"),
    [
        (sfm_pb2.MATCHING_UNSPECIFIED, Matching.AUTO),
        (sfm_pb2.MATCHING_AUTO, Matching.AUTO),
        (sfm_pb2.MATCHING_EXHAUSTIVE, Matching.EXHAUSTIVE),
        (sfm_pb2.MATCHING_SEQUENTIAL, Matching.SEQUENTIAL),
    ],
)
def test_every_way_of_matching_has_its_name(given: int, matching: Matching) -> None:
    assert parameters(matching=given)["matching"] is matching


def test_threads_are_no_parameter_of_the_result() -> None:
    assert "threads" not in parameters()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("matching", 77),
        ("max_features", 10**9),
        ("max_features", 0),
        ("max_feature_size", 255),
        ("seed", -1),
    ],
)
def test_a_value_that_can_not_be_used_is_refused_by_the_requests_field(field: str, value: int) -> None:
    with pytest.raises(InvalidField) as refusal:
        parameters(**{field: value})

    assert refusal.value.field == f"options.{field}"


def with_keys(access_key: str, secret_key: str) -> sfm_pb2.ReconstructRequest:
    keys = sfm_pb2.SourceCredentials(access_key=access_key, secret_key=secret_key)
    return sfm_pb2.ReconstructRequest(photos_uri="s3://private/photos", photos_credentials=keys)


def test_the_photos_are_read_with_the_keys_of_the_request() -> None:
    assert STAGE.inputs(with_keys("who", "hidden"))["photos"].credentials == Credentials("who", "hidden")


def test_without_keys_the_service_s_own_are_taken() -> None:
    request = sfm_pb2.ReconstructRequest(photos_uri="s3://scenes/photos")

    assert STAGE.inputs(request)["photos"].credentials is None


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        (("", "hidden"), "photos_credentials.access_key"),
        (("who", ""), "photos_credentials.secret_key"),
        (("", ""), "photos_credentials.access_key"),
    ],
)
def test_half_of_the_keys_is_refused_by_field(keys: tuple[str, str], field: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        STAGE.inputs(with_keys(*keys))

    assert refusal.value.field == field
    assert "hidden" not in str(refusal.value)


def test_keys_are_no_parameters() -> None:
    assert STAGE.parameters(with_keys("who", "hidden")) == STAGE.parameters(sfm_pb2.ReconstructRequest())
