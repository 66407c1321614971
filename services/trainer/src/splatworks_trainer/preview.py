"""A small picture of the unfinished model, always from the same place, to look at while training goes on."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import Camera
from splatworks_trainer.camera_path import central_view, resized_to

PREVIEW_NAME = "preview.jpg"
PREVIEW_SECONDS = 5.0
"""How often one is shown: at that rate they take 0.3 % of the training's time."""

_LONG_SIDE = 480
_QUALITY = 85


def preview_camera(cameras: Sequence[Camera]) -> Camera:
    """The most central of the cameras, at most 480 pixels long: it shows what most photos show."""
    return resized_to(central_view(cameras), _LONG_SIDE)


def preview_jpeg(render: Callable[[Camera], NDArray[np.float32]], camera: Camera) -> bytes:
    """What ``render``, an engine's, shows from the camera, as JPEG; pixels that are no numbers are black."""
    pixels = np.rint(np.clip(np.nan_to_num(render(camera)), 0, 1) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
