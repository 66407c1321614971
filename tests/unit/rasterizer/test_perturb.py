"""Random moves of the means: their generator, their distribution, and who is moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from splatworks_common.splats import Splats
from splatworks_rasterizer import GaussianModel
from tests.unit.rasterizer.scenes import random_splats

FAINT = np.float32(-8)
"""A logit at which the gate is open: opacity 0.0003."""


def threefry(index: NDArray[np.uint32], seed: int) -> list[NDArray[np.uint32]]:
    """Threefry-4x32-20 of counters ``(index, 0, 0, 0)``, as published (Salmon et al. 2011)."""
    rotations = [(10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20)]
    key = [np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32), np.uint32(0), np.uint32(0)]
    key.append(np.uint32(0x1BD11BDA) ^ key[0] ^ key[1])
    x = [index + key[0], *(np.full_like(index, key[i]) for i in (1, 2, 3))]
    for r in range(20):
        for (a, b), by in zip(
            ((0, 1), (2, 3)) if r % 2 == 0 else ((0, 3), (2, 1)), rotations[r % 8], strict=True
        ):
            x[a] = x[a] + x[b]
            x[b] = ((x[b] << np.uint32(by)) | (x[b] >> np.uint32(32 - by))) ^ x[a]
        if r % 4 == 3:
            x = [word + key[(r // 4 + 1 + i) % 5] for i, word in enumerate(x)]
            x[3] = x[3] + np.uint32(r // 4 + 1)
    return x


def covariances(splats: Splats) -> NDArray[np.float64]:
    """``[N, 3, 3]``."""
    w, x, y, z = (splats.quats / np.linalg.norm(splats.quats, axis=1, keepdims=True)).T.astype(np.float64)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    scaled = rotation * np.exp(splats.log_scales.astype(np.float64))[:, None, :]
    sigma: NDArray[np.float64] = scaled @ scaled.transpose(0, 2, 1)
    return sigma


def moves(splats: Splats, length: float, seed: int, threads: int = 1) -> NDArray[np.float64]:
    """By how much each mean moves, ``[N, 3]``; means near zero keep the difference exact."""
    splats = replace(splats, means=np.zeros_like(splats.means))
    model = GaussianModel(splats, capacity=len(splats) + 10, threads=threads)
    model.perturb(length, seed)
    return model.splats().means.astype(np.float64)


def test_threefry_of_zeros_is_the_published_answer():
    words = [int(word[0]) for word in threefry(np.zeros(1, np.uint32), 0)]

    assert words == [0x9C6CA96A, 0xE17EAE66, 0xFC10ECD4, 0x5256A7D8]


def test_moves_follow_the_definition():
    splats = random_splats(500)
    splats = replace(splats, opacities=np.linspace(-9, 3, 500, dtype=np.float32))
    seed = 0x1234_5678_9ABC_DEF0

    actual = moves(splats, 3.0, seed)

    words = np.stack(threefry(np.arange(500, dtype=np.uint32), seed)[:3], axis=1)
    xi = ndtri(((words >> np.uint32(9)).astype(np.float64) + 0.5) / 2**23)
    opacity = 1 / (1 + np.exp(-splats.opacities.astype(np.float64)))
    gate = 1 / (1 + np.exp(100 * (opacity - 0.005)))
    expected = np.einsum("nij,nj->ni", covariances(splats), xi) * gate[:, None] * 3.0
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5 * abs(expected).max())


def test_moves_have_mean_zero_and_the_square_of_the_covariance():
    n = 40_000
    splats = random_splats(1).take(np.zeros(n, np.int64))
    splats = replace(splats, opacities=np.full(n, FAINT))

    drawn = moves(splats, 1.0, seed=5)

    gate = 1 / (1 + np.exp(100 * (1 / (1 + np.exp(-float(FAINT))) - 0.005)))
    sigma = covariances(splats)[0]
    expected = sigma @ sigma * gate**2
    assert np.linalg.norm(np.cov(drawn.T) - expected) < 0.03 * np.linalg.norm(expected)
    whitened = np.linalg.solve(sigma, drawn.T) / gate
    np.testing.assert_allclose(whitened.mean(axis=1), 0, atol=5 / np.sqrt(n))
    assert 3.5 < abs(whitened).max() < 5.5


def test_opaque_gaussians_stay():
    splats = replace(random_splats(100), opacities=np.full(100, 2, np.float32))

    assert abs(moves(splats, 1.0, seed=1)).max() < 1e-30


def test_another_seed_is_another_move_and_the_same_seed_the_same():
    splats = replace(random_splats(100), opacities=np.full(100, FAINT))

    first, again, other = (moves(splats, 1.0, seed) for seed in (1, 1, 2**32 + 1))

    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_moves_give_the_same_bits_with_more_threads():
    splats = replace(random_splats(5000), opacities=np.full(5000, FAINT))

    np.testing.assert_array_equal(moves(splats, 1.0, 7, threads=1), moves(splats, 1.0, 7, threads=3))


def test_a_length_of_zero_and_places_without_a_gaussian_stay_as_they_were():
    splats = replace(random_splats(70), opacities=np.full(70, FAINT))
    model = GaussianModel(splats, capacity=200, threads=1)
    model.perturb(0.0, 3)
    np.testing.assert_array_equal(model.splats().means, splats.means)

    model.perturb(1.0, 3)

    assert not model.state()["parameters"][-1, :, 70 - 64 :].any()
