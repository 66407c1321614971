"""Textures survive to the byte, and nothing but a small still WebP image is decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from splatworks_common.reasons import InputInvalid
from splatworks_compressor import webp

TEXTURES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([3, 4])))


def saved(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind, **options)
    return buffer.getvalue()


@given(TEXTURES)
def test_round_trip_is_exact(texture: np.ndarray) -> None:
    decoded = webp.decode("a.webp", webp.encode(texture), max_texels=400)

    assert (decoded[:, :, : texture.shape[2]] == texture).all()


def test_colour_of_transparent_texels_is_kept() -> None:
    texture = np.array([[[10, 20, 30, 0], [40, 50, 60, 255]]], np.uint8)

    assert (webp.decode("a.webp", webp.encode(texture), max_texels=2) == texture).all()


def test_missing_alpha_reads_as_opaque() -> None:
    decoded = webp.decode("a.webp", webp.encode(np.zeros((2, 2, 3), np.uint8)), max_texels=4)

    assert (decoded[:, :, 3] == 255).all()


def test_threads_do_not_change_the_bytes() -> None:
    textures = {str(i): np.random.default_rng(i).integers(0, 255, (30, 30, 3), np.uint8) for i in range(5)}

    assert webp.encode_all(textures, 1) == webp.encode_all(textures, 4)


def test_size_is_refused_from_the_header() -> None:
    bomb = webp.encode(np.zeros((4000, 4000, 3), np.uint8))

    with pytest.raises(InputInvalid, match=r"a\.webp is 4000 x 4000"):
        webp.decode("a.webp", bomb, max_texels=10_000)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(InputInvalid, match="not a WebP"):
        webp.decode("a.webp", saved(kind), max_texels=64)


def test_animations_are_refused() -> None:
    frames = [Image.new("RGB", (8, 8), (0, 0, i)) for i in (0, 200)]

    with pytest.raises(InputInvalid, match="animation"):
        webp.decode("a.webp", saved("WEBP", save_all=True, append_images=frames), max_texels=64)


@given(st.integers(0, 200))
def test_truncated_files_are_refused(length: int) -> None:
    whole = webp.encode(np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8))

    with pytest.raises(InputInvalid):
        webp.decode("a.webp", whole[:length], max_texels=256)
