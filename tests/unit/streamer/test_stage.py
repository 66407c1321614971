"""What a request asks for, and what the stage refuses before it does any work."""

from __future__ import annotations

import pytest

from splatworks.v1 import streamer_pb2
from splatworks_common.reasons import InvalidField
from splatworks_streamer.stage import STAGE


def test_a_scene_without_a_title_is_called_by_its_slug() -> None:
    assert STAGE.parameters(streamer_pb2.PublishSceneRequest(slug="fox")) == {"title": "fox"}


def test_the_longest_title_is_taken() -> None:
    request = streamer_pb2.PublishSceneRequest(slug="fox", title="x" * 200)

    assert STAGE.parameters(request) == {"title": "x" * 200}


@pytest.mark.parametrize(("field", "value"), [("slug", "A fox"), ("title", "x" * 201)])
def test_what_can_not_be_published_is_refused_by_field(field: str, value: str) -> None:
    request = streamer_pb2.PublishSceneRequest(slug="fox")
    setattr(request, field, value)

    with pytest.raises(InvalidField) as refusal:
        STAGE.parameters(request)

    assert refusal.value.field == field
