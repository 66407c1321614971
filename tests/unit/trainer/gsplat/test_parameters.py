"""Adam on tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from splatworks_trainer.engines.gsplat.parameters import Parameters
from tests.unit.rasterizer.scenes import random_splats
from tests.unit.trainer.gsplat.engines import RATES

SPLATS = random_splats(30)


def test_steps_are_those_of_adam() -> None:
    """Four steps against Adam in float64; the third is the first that has a gradient for shN."""
    parameters = Parameters(SPLATS, torch.device("cpu"))
    rng = np.random.default_rng(0)
    expected = {
        name: values.detach().numpy().astype(np.float64) for name, values in parameters.gaussians.items()
    }
    first = {name: np.zeros_like(values) for name, values in expected.items()}
    second = {name: np.zeros_like(values) for name, values in expected.items()}

    for step in range(1, 5):
        for name, values in parameters.gaussians.items():
            if name == "shN" and step < 3:
                continue
            gradient = rng.normal(size=values.shape)
            values.grad = torch.from_numpy(gradient.astype(np.float32))
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            m, v = first[name] / (1 - 0.9**step), second[name] / (1 - 0.999**step)
            expected[name] -= getattr(RATES, name) * m / (np.sqrt(v) + 1e-15)
        parameters.descend(RATES)

    for name, values in parameters.gaussians.items():
        np.testing.assert_allclose(
            values.detach().numpy(), expected[name], rtol=1e-6, atol=1e-6, err_msg=name
        )
    assert parameters.steps == 4


def test_gradients_are_used_up() -> None:
    parameters = Parameters(SPLATS, torch.device("cpu"))
    parameters.gaussians["means"].grad = torch.ones(30, 3)

    parameters.descend(RATES)
    moved = parameters.splats().means
    parameters.descend(RATES)

    np.testing.assert_array_equal(parameters.splats().means, moved)


def test_gaussians_without_higher_bands_can_be_trained() -> None:
    flat = replace(SPLATS, shN=SPLATS.shN[:, :0])
    parameters = Parameters(flat, torch.device("cpu"))
    parameters.gaussians["shN"].grad = torch.zeros(30, 0, 3)

    parameters.descend(RATES)

    assert parameters.splats().sh_degree == 0
