"""SSIM and PSNR."""

from __future__ import annotations

import math

import numpy as np
import pytest

from splatworks_rasterizer.metrics import psnr, ssim
from tests.unit.rasterizer import reference


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (11, 11), (16, 16), (37, 50), (70, 17)])
def test_ssim_matches_scipy_at_any_size(size: tuple[int, int]):
    rng = np.random.default_rng(0)
    a = rng.random((*size, 3), np.float32)
    b = (0.6 * a + 0.4 * rng.random((*size, 3), np.float32)).astype(np.float32)

    assert ssim(a, b) == pytest.approx(reference.ssim(a.astype(float), b.astype(float)), abs=1e-6)


def test_ssim_of_equal_pictures_is_one():
    picture = np.random.default_rng(0).random((20, 30, 3), np.float32)

    assert ssim(picture, picture) == pytest.approx(1, abs=1e-6)


def test_ssim_of_flat_pictures_is_their_luminance_term():
    """Far from the border: 2 m n + c1 over m^2 + n^2 + c1."""
    a, b = np.full((64, 64, 3), 0.2, np.float32), np.full((64, 64, 3), 0.8, np.float32)

    assert ssim(a, b) == pytest.approx(reference.ssim(a.astype(float), b.astype(float)), abs=1e-4)


@pytest.mark.parametrize(
    "shapes", [((4, 4, 3), (4, 5, 3)), ((4, 4), (4, 4)), ((0, 4, 3), (0, 4, 3)), ((4, 4, 1), (4, 4, 1))]
)
def test_ssim_refuses_pictures_that_do_not_match(shapes: tuple[tuple[int, ...], tuple[int, ...]]):
    with pytest.raises(ValueError, match="pictures of shape"):
        ssim(np.zeros(shapes[0], np.float32), np.zeros(shapes[1], np.float32))


def test_ssim_needs_a_thread():
    with pytest.raises(ValueError, match="threads"):
        ssim(np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 3), np.float32), 0)


def test_psnr_of_a_known_error():
    assert psnr(np.zeros((8, 8, 3), np.float32), np.full((8, 8, 3), 0.1, np.float32)) == pytest.approx(
        20, abs=1e-4
    )


def test_psnr_clips_first():
    assert psnr(np.full((8, 8, 3), 3, np.float32), np.ones((8, 8, 3), np.float32)) == math.inf


def test_psnr_refuses_pictures_of_different_sizes():
    with pytest.raises(ValueError, match="can not be compared"):
        psnr(np.zeros((8, 8, 3), np.float32), np.zeros((8, 9, 3), np.float32))
