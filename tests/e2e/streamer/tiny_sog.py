"""Writes a few round, opaque, coloured blobs as a SOG v2 scene: the least that the viewer accepts."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.splats import SH_C0

_SIDE = 4
_PIXELS = _SIDE * _SIDE


def write_blobs(
    folder: Path,
    means: NDArray[np.float64],
    colours: NDArray[np.uint8],
    radius: float,
    *,
    antialiased: bool = False,
) -> None:
    """Writes ``scene.sog`` and ``meta.json``.

    Args:
        folder: Where to.
        means: Centres in Splatworks' world, ``[N, 3]``, N up to 16.
        colours: 0 or 1 for each of red, green and blue, ``[N, 3]``.
        radius: Standard deviation in world units.
        antialiased: Whether they are to be drawn with Mip-Splatting's 2D filter.
    """
    count = len(means)
    logs = np.sign(means) * np.log1p(np.abs(means))
    lowest, highest = logs.min(axis=0), logs.max(axis=0)
    steps = np.rint((logs - lowest) / (highest - lowest) * 65535).astype(np.uint16)
    opaque = np.full((count, 1), 255, np.uint8)
    unturned = np.tile(np.array([128, 128, 128, 252], np.uint8), (count, 1))
    textures = {
        "means_l.webp": np.hstack([(steps & 255).astype(np.uint8), opaque]),
        "means_u.webp": np.hstack([(steps >> 8).astype(np.uint8), opaque]),
        "quats.webp": unturned,
        "scales.webp": np.hstack([np.zeros((count, 3), np.uint8), opaque]),
        "sh0.webp": np.hstack([colours, opaque]),
    }
    meta = {
        "version": 2,
        "count": count,
        **({"model": "antialiased"} if antialiased else {}),
        "means": {
            "mins": lowest.tolist(),
            "maxs": highest.tolist(),
            "files": ["means_l.webp", "means_u.webp"],
        },
        "scales": {"codebook": [float(np.log(radius))] * 256, "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": [-0.5 / SH_C0, *[0.5 / SH_C0] * 255], "files": ["sh0.webp"]},
    }
    for name, rows in textures.items():
        pixels = np.zeros((_PIXELS, 4), np.uint8)
        pixels[:count] = rows
        Image.fromarray(pixels.reshape(_SIDE, _SIDE, 4)).save(folder / name, lossless=True, exact=True)
    (folder / "meta.json").write_text(json.dumps(meta))
    with zipfile.ZipFile(folder / "scene.sog", "w") as bundle:
        for name in (*textures, "meta.json"):
            bundle.write(folder / name, name)
