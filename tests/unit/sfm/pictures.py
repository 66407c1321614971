"""Small pictures for the tests of ingest, made on the fly."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from splatworks_sfm.exif import Exif
from splatworks_sfm.ingest import Photo


def picture(width: int = 320, height: int = 256, seed: int = 0) -> Image.Image:
    """A smooth picture, so that it survives JPEG; red to the right, green downwards, blue by seed."""
    down, right = np.mgrid[0:height, 0:width]
    blue = np.full((height, width), 40 * seed % 256)
    return Image.fromarray(np.stack([right * 255 // width, down * 255 // height, blue], -1).astype(np.uint8))


def jpeg_bytes(seed: int = 0, **settings: object) -> bytes:
    buffer = io.BytesIO()
    picture(seed=seed).save(buffer, "JPEG", quality=95, **settings)
    return buffer.getvalue()


def photo(name: str, exif: Exif | None = None, width: int = 640, height: int = 480) -> Photo:
    return Photo(name=name, original=name, width=width, height=height, exif=exif or Exif())


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)
