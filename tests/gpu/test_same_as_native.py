"""gsplat's kernels and the native ones draw the same scene alike, and take the same gradients of it.

Opacities stay below 0.9, so that gsplat's other cut of alpha does nothing and its other stop loses at most a
thousandth of a colour; its sums are in float32 with fast approximations, in no fixed order.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from splatworks_common.splats import Splats
from splatworks_rasterizer import GaussianModel
from splatworks_trainer.engine import Objective, Rates
from tests.unit.rasterizer.scenes import BACKGROUND, random_photo, random_splats, turned_camera

CAMERA = turned_camera(300, 200)
PHOTO = random_photo(CAMERA)
RATES = Rates(means=1e-3, log_scales=5e-3, quats=2e-3, opacities=5e-2, sh0=2.5e-3, shN=1e-4)
OBJECTIVE = Objective(sh_degree=3, ssim_weight=0.2)
CLOSE_PICTURES, CLOSE_GRADIENTS = 2e-3, 5e-3
PACKED, NOT_PACKED = 0, 10**9


def scene() -> Splats:
    splats = random_splats(2000, spread=2.0)
    return replace(
        splats,
        log_scales=splats.log_scales - 1,
        opacities=np.minimum(splats.opacities, np.float32(np.log(0.9 / 0.1))),
    )


def engines(*, packed_from: int = NOT_PACKED, antialiased: bool = False):
    from splatworks_trainer.engines.gsplat import GsplatEngine, GsplatOptions

    splats = scene()
    return (
        GsplatEngine(
            splats,
            capacity=len(splats),
            threads=1,
            antialiased=antialiased,
            options=GsplatOptions(packed_from=packed_from),
        ),
        GaussianModel(splats, capacity=len(splats), threads=2, antialiased=antialiased),
    )


def assert_same_gradients(engine, native: GaussianModel) -> None:
    """Both after their first step, when Adam's first moments are a tenth of the gradients."""
    from tests.unit.trainer.gsplat import engines as on_cpu

    on_cpu.assert_same_gradients(
        on_cpu.gradient_of(engine), on_cpu.native_gradient_of(native), within=CLOSE_GRADIENTS
    )


@pytest.mark.parametrize("packed_from", [PACKED, NOT_PACKED])
@pytest.mark.parametrize("antialiased", [False, True])
def test_pictures(packed_from: int, antialiased: bool) -> None:
    engine, native = engines(packed_from=packed_from, antialiased=antialiased)

    picture = engine.render(CAMERA)

    np.testing.assert_allclose(picture, native.render(CAMERA), atol=CLOSE_PICTURES)


@pytest.mark.parametrize("packed_from", [PACKED, NOT_PACKED])
@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize(
    "objective",
    [
        OBJECTIVE,
        replace(OBJECTIVE, sh_degree=0, ssim_weight=0.0, background=BACKGROUND),
        replace(OBJECTIVE, opacity_penalty=0.3, scale_penalty=0.2),
    ],
    ids=["default", "degree-0-l1-background", "penalties"],
)
def test_gradients_and_statistics(packed_from: int, antialiased: bool, objective: Objective) -> None:
    engine, native = engines(packed_from=packed_from, antialiased=antialiased)

    ours, theirs = (each.step(CAMERA, PHOTO, RATES, objective) for each in (engine, native))

    assert (ours.loss, ours.mse) == pytest.approx((theirs.loss, theirs.mse), rel=1e-3)
    assert_same_gradients(engine, native)
    pull, expected = engine.statistics().grad2d, native.statistics().grad2d
    assert np.linalg.norm(pull - expected) <= CLOSE_GRADIENTS * np.linalg.norm(expected)


def test_masks_and_exposure() -> None:
    engine, native = engines()
    mask = (np.random.default_rng(3).random(PHOTO.shape[:2]) < 0.5).astype(np.uint8)
    exposure = np.array([[0.9, 0.1, 0, 0.02], [0.05, 1.1, 0, -0.03], [0, 0.1, 0.8, 0.05]], np.float32)

    ours, theirs = (
        each.step(CAMERA, PHOTO, RATES, OBJECTIVE, mask=mask, exposure=exposure) for each in (engine, native)
    )

    assert_same_gradients(engine, native)
    np.testing.assert_allclose(ours.exposure_gradient, theirs.exposure_gradient, rtol=0.01, atol=1e-6)


def test_parameters_after_some_steps() -> None:
    """Adam makes steps of one size of gradients of any, so the smallest differences may show; few do."""
    engine, native = engines()

    for _ in range(5):
        engine.step(CAMERA, PHOTO, RATES, OBJECTIVE)
        native.step(CAMERA, PHOTO, RATES, OBJECTIVE)

    ours, theirs = engine.splats(), native.splats()
    for column in fields(Splats):
        distance = np.abs(getattr(ours, column.name) - getattr(theirs, column.name))
        assert np.quantile(distance, 0.95) < 0.5 * getattr(RATES, column.name), column.name


@pytest.mark.parametrize("packed_from", [PACKED, NOT_PACKED])
def test_blended_values(packed_from: int) -> None:
    engine, native = engines(packed_from=packed_from)
    values = np.random.default_rng(5).random(PHOTO.shape[:2], dtype=np.float32)

    np.testing.assert_allclose(
        engine.blended(CAMERA, values), native.blended(CAMERA, values), rtol=0.01, atol=0.05
    )


@pytest.mark.parametrize("packed_from", [PACKED, NOT_PACKED])
def test_a_camera_that_sees_nothing(packed_from: int) -> None:
    engine, _ = engines(packed_from=packed_from)
    behind = replace(CAMERA, viewmat=np.diag([-1.0, 1, -1, 1]) @ CAMERA.viewmat)

    engine.step(behind, PHOTO, RATES, OBJECTIVE)

    assert not engine.render(behind).any()
    assert not engine.statistics().views.any()


def test_absolute_gradients_are_larger() -> None:
    from splatworks_trainer.engines.gsplat import GsplatEngine, GsplatOptions

    plain, _ = engines()
    splats = scene()
    absolute = GsplatEngine(splats, capacity=len(splats), threads=1, options=GsplatOptions(absgrad=True))

    for engine in (plain, absolute):
        engine.step(CAMERA, PHOTO, RATES, OBJECTIVE)

    pull, larger = plain.statistics().grad2d, absolute.statistics().grad2d
    assert (larger >= 0.999 * pull).all()
    assert larger.sum() > 1.5 * pull.sum()


def test_fused_ssim_where_it_is_installed() -> None:
    pytest.importorskip("fused_ssim", reason="needs fused-ssim")
    import torch

    from splatworks_trainer.engines.gsplat.kernels import gsplat_kernels
    from splatworks_trainer.engines.gsplat.loss import ssim

    photo = torch.rand(67, 45, 3, device="cuda")
    picture = (photo + 0.1 * torch.rand_like(photo)).requires_grad_()
    fused, plain = gsplat_kernels().ssim(picture, photo), ssim(picture, photo)
    (gradient,), (expected,) = (torch.autograd.grad(value, picture) for value in (fused, plain))

    assert fused.item() == pytest.approx(plain.item(), abs=1e-4)
    assert (gradient - expected).norm() <= 1e-3 * expected.norm()
