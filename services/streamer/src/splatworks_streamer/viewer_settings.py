"""The settings file that the scene viewer reads: format version 2 of ``@playcanvas/supersplat-viewer``.

The viewer's schema: ``ExperienceSettings`` in its ``dist/settings.d.ts``. Effects are off, so that colours
are those of the photos; the background is black, as it was in training.
"""

from __future__ import annotations

from splatworks_streamer.first_view import ViewerCamera

_DECIMALS = 6

_NO_EFFECTS: dict[str, object] = {
    "sharpness": {"enabled": False, "amount": 0},
    "bloom": {"enabled": False, "intensity": 0.1, "blurLevel": 2},
    "grading": {"enabled": False, "brightness": 1, "contrast": 1, "saturation": 1, "tint": [1, 1, 1]},
    "vignette": {"enabled": False, "intensity": 0.5, "inner": 0.3, "outer": 0.75, "curvature": 1},
    "fringing": {"enabled": False, "intensity": 0.5},
}
"""The viewer wants every effect described, also those that are off; the values are its own defaults."""


def viewer_settings(camera: ViewerCamera) -> dict[str, object]:
    """The content of ``settings.json`` for a scene that is first seen through ``camera``."""
    initial = {
        "position": [round(value, _DECIMALS) for value in camera.position],
        "target": [round(value, _DECIMALS) for value in camera.target],
        "fov": round(camera.fov, _DECIMALS),
    }
    return {
        "version": 2,
        "tonemapping": "none",
        "highPrecisionRendering": False,
        "background": {"color": [0, 0, 0]},
        "postEffectSettings": _NO_EFFECTS,
        "animTracks": [],
        "cameras": [{"initial": initial}],
        "annotations": [],
        "startMode": "default",
    }
