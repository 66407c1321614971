"""``meta.json`` of SOG version 2: what the textures' bytes mean.

Written from quantised Gaussians, and read back with every value checked: what ``parse`` returns can be used
without another look. Only file names without any path are accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from splatworks_common.reasons import InputInvalid
from splatworks_compressor import codebook
from splatworks_compressor.config import MAX_PALETTE_ENTRIES
from splatworks_compressor.quantize import QuantizedSplats

NAME = "meta.json"
VERSION = 2
GENERATOR = "Splatworks"

_ANTIALIASED = "antialiased"
"""What ``model`` says of a scene that is to be drawn with Mip-Splatting's 2D filter; it is absent else."""

MEANS = ("means_l.webp", "means_u.webp")
SCALES = ("scales.webp",)
QUATS = ("quats.webp",)
SH0 = ("sh0.webp",)
SHN = ("shN_centroids.webp", "shN_labels.webp")

MAX_BYTES = 1 << 20
"""A larger meta.json is refused; ours have 16 KB."""

MAX_GAUSSIANS = 16_000_000
"""A larger scene is refused before anything is allocated for it; at SH degree 3 this one needs 4 GB."""

MAX_LOG_MEAN = 88.0
"""Range of the log-transformed means: exp() of more does not fit into float32."""

_FLOAT32_MAX = float(np.finfo(np.float32).max)

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.webp")


@dataclass(frozen=True)
class PaletteMeta:
    """The higher SH bands' part.

    Attributes:
        count: Palette entries.
        bands: SH degree, 1 to 3.
        codebook: ``[256]``.
        files: Centroids and labels.
    """

    count: int
    bands: int
    codebook: NDArray[np.float32]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Meta:
    """A checked meta.json: file names by attribute, codebooks ``[256]``, mins, maxs ``[3]`` in log space."""

    count: int
    mins: NDArray[np.float64]
    maxs: NDArray[np.float64]
    scale_codebook: NDArray[np.float32]
    colour_codebook: NDArray[np.float32]
    means: tuple[str, ...]
    scales: tuple[str, ...]
    quats: tuple[str, ...]
    sh0: tuple[str, ...]
    palette: PaletteMeta | None


def dumps(codes: QuantizedSplats, *, antialiased: bool = False) -> bytes:
    """The meta.json of a scene. The same codes give the same bytes.

    Args:
        codes: The scene.
        antialiased: Whether it is to be drawn with Mip-Splatting's 2D filter.
    """
    table: dict[str, Any] = {
        "version": VERSION,
        "asset": {"generator": GENERATOR},
        "count": len(codes),
        **({"model": _ANTIALIASED} if antialiased else {}),
        "means": {"mins": codes.mins.tolist(), "maxs": codes.maxs.tolist(), "files": MEANS},
        "scales": {"codebook": _shortest(codes.scale_codebook), "files": SCALES},
        "quats": {"files": QUATS},
        "sh0": {"codebook": _shortest(codes.colour_codebook), "files": SH0},
    }
    if codes.palette is not None:
        table["shN"] = {
            "count": len(codes.palette.centroids),
            "bands": codes.palette.degree,
            "codebook": _shortest(codes.palette.codebook),
            "files": SHN,
        }
    return json.dumps(table, separators=(",", ":"), allow_nan=False).encode()


def _shortest(values: NDArray[np.float32]) -> list[float]:
    """A full codebook in the fewest digits that give the same float32."""
    return [float(str(value)) for value in codebook.padded(values)]


def parse(data: bytes) -> Meta:
    """Reads and checks a meta.json.

    Raises:
        InputInvalid: It is not JSON, not version 2, or a value is missing, of the wrong kind or out of range.
    """
    try:
        table = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputInvalid(f"{NAME} is not JSON: {error}") from error
    if not isinstance(table, dict) or table.get("version") != VERSION:
        version = table.get("version") if isinstance(table, dict) else None
        raise InputInvalid(f"{NAME} says version {version!r}; only SOG version {VERSION} can be read")
    means, scales, quats, sh0 = (_section(table, name) for name in ("means", "scales", "quats", "sh0"))
    mins, maxs = _numbers(means, "means.mins", 3), _numbers(means, "means.maxs", 3)
    if (np.abs([mins, maxs]) > MAX_LOG_MEAN).any():
        raise InputInvalid(f"{NAME}: means.mins and means.maxs must lie within +-{MAX_LOG_MEAN}")
    return Meta(
        count=_integer(table, "count", 1, MAX_GAUSSIANS),
        mins=mins,
        maxs=maxs,
        scale_codebook=_codebook(scales, "scales.codebook"),
        colour_codebook=_codebook(sh0, "sh0.codebook"),
        means=_files(means, "means.files", len(MEANS)),
        scales=_files(scales, "scales.files", len(SCALES)),
        quats=_files(quats, "quats.files", len(QUATS)),
        sh0=_files(sh0, "sh0.files", len(SH0)),
        palette=_palette(_section(table, "shN")) if "shN" in table else None,
    )


def _palette(section: Mapping[str, Any]) -> PaletteMeta:
    return PaletteMeta(
        count=_integer(section, "shN.count", 1, MAX_PALETTE_ENTRIES),
        bands=_integer(section, "shN.bands", 1, 3),
        codebook=_codebook(section, "shN.codebook"),
        files=_files(section, "shN.files", len(SHN)),
    )


def _value(section: Mapping[str, Any], path: str) -> Any:
    return section.get(path.rpartition(".")[2])


def _section(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = table.get(name)
    if not isinstance(section, dict):
        raise InputInvalid(f"{NAME} has no section {name}")
    return section


def _integer(section: Mapping[str, Any], path: str, low: int, high: int) -> int:
    value = _value(section, path)
    if type(value) is not int or not low <= value <= high:
        raise InputInvalid(f"{NAME}: {path} must be a whole number from {low} to {high}")
    return value


def _numbers(section: Mapping[str, Any], path: str, length: int) -> NDArray[np.float64]:
    values = _value(section, path)
    if not isinstance(values, list) or len(values) != length:
        raise InputInvalid(f"{NAME}: {path} must be a list of {length} numbers")
    if not all(type(value) in (int, float) and abs(value) <= _FLOAT32_MAX for value in values):
        raise InputInvalid(f"{NAME}: {path} must hold finite numbers only")
    return np.asarray(values, np.float64)


def _codebook(section: Mapping[str, Any], path: str) -> NDArray[np.float32]:
    return _numbers(section, path, codebook.ENTRIES).astype(np.float32)


def _files(section: Mapping[str, Any], path: str, count: int) -> tuple[str, ...]:
    names = _value(section, path)
    if not isinstance(names, list) or len(names) != count:
        raise InputInvalid(f"{NAME}: {path} must name {count} files")
    for name in names:
        if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
            raise InputInvalid(f"{NAME}: {path} names {name!r}; only plain names of .webp files are followed")
    return tuple(names)
