from __future__ import annotations

import json

from splatworks_streamer.first_view import ViewerCamera
from splatworks_streamer.viewer_settings import viewer_settings

CAMERA = ViewerCamera(position=(1.0, 2.0, -3.123456789), target=(0.0, 0.5, 0.0), fov=61.25)


def test_settings_have_exactly_the_fields_of_the_viewers_schema() -> None:
    settings = viewer_settings(CAMERA)

    assert set(settings) == {
        "version",
        "tonemapping",
        "highPrecisionRendering",
        "background",
        "postEffectSettings",
        "animTracks",
        "cameras",
        "annotations",
        "startMode",
    }
    assert settings["version"] == 2


def test_the_first_camera_is_the_one_given() -> None:
    settings = json.loads(json.dumps(viewer_settings(CAMERA)))

    assert settings["cameras"] == [
        {"initial": {"position": [1.0, 2.0, -3.123457], "target": [0.0, 0.5, 0.0], "fov": 61.25}}
    ]


def test_nothing_changes_the_colours_and_nothing_moves() -> None:
    settings = json.loads(json.dumps(viewer_settings(CAMERA)))

    assert settings["tonemapping"] == "none"
    assert not any(effect["enabled"] for effect in settings["postEffectSettings"].values())
    assert settings["animTracks"] == []
