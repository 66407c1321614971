"""Random moves of the means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from splatworks_common.splats import rotation_matrices
from splatworks_trainer.engines.gsplat import exploration
from tests.unit.rasterizer.scenes import random_splats
from tests.unit.trainer.gsplat.engines import gsplat_engine

MANY = 4000


def alike(opacity: float):
    """Many copies of one long Gaussian, turned."""
    splats = random_splats(MANY)
    return replace(
        splats,
        log_scales=np.tile(np.log(np.array([0.5, 0.2, 0.1], np.float32)), (MANY, 1)),
        quats=np.tile(np.array([0.8, 0.3, -0.4, 0.6], np.float32), (MANY, 1)),
        opacities=np.full(MANY, np.log(opacity / (1 - opacity)), np.float32),
    )


def moved(splats, length: float, seed: int = 0) -> np.ndarray:
    engine = gsplat_engine(replace(splats, means=np.zeros_like(splats.means)), capacity=MANY)
    engine.perturb(length, seed)
    return engine.splats().means


def test_rotations_are_those_of_the_table() -> None:
    quats = random_splats(50).quats

    np.testing.assert_allclose(
        exploration.rotation_matrices(torch.from_numpy(quats)), rotation_matrices(quats), atol=1e-6
    )


def test_moves_spread_as_the_square_of_the_covariance() -> None:
    splats = alike(opacity=0.005)  # there the gate is at one half
    rotation = rotation_matrices(splats.quats[:1])[0]
    covariance = rotation @ np.diag([0.25, 0.04, 0.01]) @ rotation.T

    moves = moved(splats, length=3.0)

    expected = (1.5 * covariance) @ (1.5 * covariance)
    np.testing.assert_allclose(np.cov(moves.T), expected, atol=0.1 * np.abs(expected).max())
    assert np.abs(moves.mean(axis=0)).max() < 0.03


def test_opaque_gaussians_stay() -> None:
    assert np.abs(moved(alike(opacity=0.5), length=1.0)).max() < 1e-9


def test_moves_follow_the_seed() -> None:
    splats = alike(opacity=0.004)

    np.testing.assert_array_equal(moved(splats, 1.0, seed=1), moved(splats, 1.0, seed=1))
    assert (moved(splats, 1.0, seed=1) != moved(splats, 1.0, seed=2)).any()


def test_only_means_move() -> None:
    engine = gsplat_engine(random_splats(20))
    before = engine.state()

    engine.perturb(1.0, seed=0)

    after = engine.state()
    assert [name for name in before if (before[name] != after[name]).any()] == ["means"]
