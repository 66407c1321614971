"""What a request asks for, and what the stage makes of it."""

from __future__ import annotations

import pytest

from splatworks.v1 import compressor_pb2
from splatworks_common.reasons import InvalidField
from splatworks_compressor.stage import STAGE


def request(quality: int) -> compressor_pb2.CompressRequest:
    message = compressor_pb2.CompressRequest()
    message.options.quality = quality  # type: ignore[assignment]
    return message


@pytest.mark.parametrize("quality", ["high", "default", "small"])
def test_each_quality_can_be_asked_for(quality: str) -> None:
    number = compressor_pb2.Quality.Value(f"QUALITY_{quality.upper()}")

    assert STAGE.parameters(request(number))["quality"] == quality


def test_a_request_without_options_means_the_defaults() -> None:
    asked = STAGE.parameters(request(compressor_pb2.QUALITY_DEFAULT))

    assert STAGE.parameters(compressor_pb2.CompressRequest()) == asked


def test_a_quality_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(InvalidField) as refusal:
        STAGE.parameters(request(9))

    assert refusal.value.field == "options.quality"
