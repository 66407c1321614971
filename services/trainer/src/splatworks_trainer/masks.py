"""Masks: which pixels of a photo count, in training and in its figures.

COLMAP's convention: the mask of photo ``NAME`` is the image ``NAME.png`` in a folder of masks, of the photo's
size, 8 bits, 0 where the photo is to be ignored. Few photos need one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid

Mask = NDArray[np.bool_]
"""The pixels of a photo that count, ``[H, W]``; at least one does."""

UNDECODABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
"""What Pillow raises for files that are broken, or too large to be honest; not all of it is its own."""


def read_mask(folder: Path, camera: Camera) -> Mask | None:
    """The mask of a camera's photo; none where there is none, or where it ignores nothing.

    Raises:
        InputInvalid: It is not of the photo's size, is no PNG that can be decoded, or ignores every pixel.
    """
    path = folder / f"{camera.name}.png"
    if not path.is_file():
        return None
    try:
        # Opening reads the header alone: what claims another size than the photo's is never decoded.
        with Image.open(path, formats=["PNG"]) as image:
            if image.size != (camera.width, camera.height):
                raise InputInvalid(
                    f"mask {path.name} is {image.width} x {image.height} pixels, but its photo {camera.name} "
                    f"{camera.width} x {camera.height}; make it the photo's size or take it away"
                )
            mask = np.asarray(image.convert("L")) != 0
    except UNDECODABLE as error:
        raise InputInvalid(f"mask {path.name} can not be decoded as PNG: {error}") from error
    if not mask.any():
        raise InputInvalid(
            f"mask {path.name} ignores every pixel, so photo {camera.name} can not be trained on; "
            "take the photo or its mask away"
        )
    return None if mask.all() else mask


def reduced_mask(mask: Mask, width: int, height: int) -> Mask:
    """The mask at a smaller size.

    A reduced pixel is the mean of the pixels it covers, so it counts only if all of them do: what is ignored
    must not colour it. Where that would leave nothing of the photo, a pixel counts if any of them does.
    """
    whole = _over_cells(np.logical_and, mask, width, height)
    return whole if whole.any() else _over_cells(np.logical_or, mask, width, height)


def _over_cells(combine: np.ufunc, mask: Mask, width: int, height: int) -> Mask:
    rows, columns = (np.arange(n) * old // n for n, old in zip((height, width), mask.shape, strict=True))
    return np.asarray(combine.reduceat(combine.reduceat(mask, rows, axis=0), columns, axis=1))
