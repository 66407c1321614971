"""The loss on tensors beside the native kernels' and a plain one in float64."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from splatworks_rasterizer import metrics
from splatworks_trainer.engines.gsplat.loss import image_loss, mean_squared_error, ssim
from tests.unit.rasterizer import reference

SIZES = [(1, 1), (1, 16), (5, 11), (16, 15), (17, 33)]


def pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(height * 100 + width)
    photo = rng.random((height, width, 3), dtype=np.float32)
    return np.clip(photo + rng.normal(scale=0.2, size=photo.shape), -0.2, 1.2).astype(np.float32), photo


@pytest.mark.parametrize("size", SIZES)
def test_ssim_is_that_of_the_native_metrics(size: tuple[int, int]) -> None:
    render, photo = pictures(*size)

    similarity = float(ssim(torch.from_numpy(render), torch.from_numpy(photo)))

    assert similarity == pytest.approx(metrics.ssim(render, photo), abs=2e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ssim_weight", [0.0, 0.2, 1.0])
def test_loss_and_gradient_are_those_of_the_reference(size: tuple[int, int], ssim_weight: float) -> None:
    render, photo = pictures(*size)
    tensor = torch.from_numpy(render).requires_grad_()
    target = torch.from_numpy(photo)

    loss = image_loss(tensor, target, ssim(tensor, target) if ssim_weight else None, ssim_weight)
    loss.backward()

    expected, gradient = reference.loss_and_gradient(render.astype(float), photo.astype(float), ssim_weight)
    assert loss.item() == pytest.approx(expected, abs=2e-6)
    np.testing.assert_allclose(tensor.grad.numpy(), gradient, atol=1e-4 * np.abs(gradient).max())


def test_errors_count_where_the_mask_says_so_and_as_a_screen_shows_them() -> None:
    render = torch.tensor([[[1.5, 0.5, -1.0]], [[0.0, 0.0, 0.0]]])
    photo = torch.tensor([[[1.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]]])

    assert float(mean_squared_error(render, photo, torch.tensor([[True], [False]]))) == pytest.approx(
        0.25 / 3
    )
    assert float(mean_squared_error(render, photo, None)) == pytest.approx((0.25 / 3 + 1) / 2)
    assert float(mean_squared_error(render, photo, torch.zeros(2, 1, dtype=torch.bool))) == 0
