"""meta.json: the fields that viewers read, and the values that are refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from splatworks_common.reasons import InputInvalid
from splatworks_compressor import meta
from splatworks_compressor.config import Shifts
from splatworks_compressor.palette import Palette
from splatworks_compressor.quantize import quantize
from tests.unit.compressor.scenes import random_splats

PALETTE = Palette(
    codebook=np.array([-0.1, 0, 0.1], np.float32),
    centroids=np.ones((4, 8, 3), np.uint8),
    labels=np.array([0, 1, 2, 3, 0], np.uint16),
)


def table(palette: Palette | None = PALETTE) -> dict[str, Any]:
    codes = quantize(random_splats(5), Shifts(1, 0, 1, 1, 1), palette)
    loaded: dict[str, Any] = json.loads(meta.dumps(codes))
    return loaded


def test_fields_are_those_of_sog_version_2() -> None:
    written = table()

    assert list(written) == ["version", "asset", "count", "means", "scales", "quats", "sh0", "shN"]
    assert (written["version"], written["count"]) == (2, 5)
    assert {
        name: section["files"]
        for name, section in written.items()
        if isinstance(section, dict) and "files" in section
    } == {
        "means": ["means_l.webp", "means_u.webp"],
        "scales": ["scales.webp"],
        "quats": ["quats.webp"],
        "sh0": ["sh0.webp"],
        "shN": ["shN_centroids.webp", "shN_labels.webp"],
    }
    assert (written["shN"]["count"], written["shN"]["bands"]) == (4, 2)


def test_a_scene_drawn_antialiased_says_so() -> None:
    codes = quantize(random_splats(5), Shifts(1, 0, 1, 1, 1), None)

    assert json.loads(meta.dumps(codes, antialiased=True))["model"] == "antialiased"


def test_model_without_higher_bands_has_no_such_section() -> None:
    assert "shN" not in table(palette=None)


def test_codebooks_have_256_entries_that_read_back_as_the_same_floats() -> None:
    codes = quantize(random_splats(50), Shifts(1, 0, 1, 1, 1), None)

    parsed = meta.parse(meta.dumps(codes))

    assert parsed.scale_codebook.shape == (256,)
    assert parsed.scale_codebook[:128].tolist() == codes.scale_codebook.tolist()
    assert (parsed.scale_codebook[128:] == codes.scale_codebook[-1]).all()


def test_ranges_of_the_positions_read_back_exactly() -> None:
    codes = quantize(random_splats(50), Shifts(0, 0, 0, 0, 0), None)

    parsed = meta.parse(meta.dumps(codes))

    assert parsed.mins.tolist() == codes.mins.tolist()
    assert parsed.maxs.tolist() == codes.maxs.tolist()


HOSTILE_VALUES = {
    "older version": ("version", 1),
    "no version": ("version", None),
    "no gaussians": ("count", 0),
    "negative count": ("count", -5),
    "fractional count": ("count", 5.5),
    "true as count": ("count", True),
    "huge count": ("count", 10**12),
    "no means": ("means", None),
    "list as section": ("quats", []),
    "short range": ("means.mins", [0, 0]),
    "text in range": ("means.mins", [0, 0, "1"]),
    "infinite range": ("means.maxs", [0, 0, float("inf")]),
    "range beyond float32": ("means.maxs", [0, 0, 1000]),
    "short codebook": ("scales.codebook", [0.0] * 255),
    "null in codebook": ("sh0.codebook", [None] + [0.0] * 255),
    "nan in codebook": ("sh0.codebook", [float("nan")] * 256),
    "huge number in codebook": ("sh0.codebook", [10**400] + [0.0] * 255),
    "parent folder": ("quats.files", ["../quats.webp"]),
    "absolute name": ("quats.files", ["/etc/quats.webp"]),
    "backslash": ("quats.files", ["a\\quats.webp"]),
    "hidden name": ("quats.files", [".quats.webp"]),
    "address": ("quats.files", ["https://example.com/quats.webp"]),
    "other extension": ("quats.files", ["meta.json"]),
    "number as name": ("quats.files", [7]),
    "too few files": ("means.files", ["means_l.webp"]),
    "four bands": ("shN.bands", 4),
    "palette of none": ("shN.count", 0),
    "palette too large": ("shN.count", 65537),
}


@pytest.mark.parametrize(("path", "value"), HOSTILE_VALUES.values(), ids=HOSTILE_VALUES.keys())
def test_hostile_values_are_refused(path: str, value: Any) -> None:
    written = table()
    section, _, key = path.rpartition(".")
    (written[section] if section else written)[key] = value

    with pytest.raises(InputInvalid):
        meta.parse(json.dumps(written).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"2", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_a_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(InputInvalid):
        meta.parse(data)
