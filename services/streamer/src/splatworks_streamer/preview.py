"""The trainer's preview strips (photo, render and error side by side) and the thumbnail cut from one."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from splatworks_common.cameras import Camera, preview_name
from splatworks_common.reasons import InputInvalid

_PANELS = 3
_RENDER = 1
_LONG_SIDE = 512
_QUALITY = 82


def strip_path(renders: Path, camera: Camera) -> Path:
    """Where the trainer puts the strip of a view; not every view has one."""
    return renders / preview_name(camera.name)


def write_thumbnail(strip: Path, path: Path) -> None:
    """Writes the strip's render as WebP, at most 512 pixels on its longer side.

    Raises:
        InputInvalid: The strip is not a picture, or not three panels wide.
    """
    try:
        with Image.open(strip) as image:
            picture = image.convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise InputInvalid(
            f"renders/{strip.name} can not be decoded: {error}; train the scene again"
        ) from error
    if picture.width % _PANELS:
        raise InputInvalid(
            f"renders/{strip.name} is {picture.width} pixels wide, which is not three panels; "
            "train the scene again"
        )
    width = picture.width // _PANELS
    render = picture.crop((_RENDER * width, 0, (_RENDER + 1) * width, picture.height))
    render.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.LANCZOS)
    render.save(path, "WEBP", quality=_QUALITY, method=6)
