"""The engine takes the native engine's steps: the same conventions, and the same arithmetic but for rounding.

gsplat itself needs a GPU; here a slow rasterizer stands in for it, and all around it is the engine's own.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")

from splatworks_common.splats import SH_REST_BY_DEGREE, Splats
from tests.unit.rasterizer.scenes import (
    BACKGROUND,
    assert_decided,
    random_photo,
    random_splats,
    turned_camera,
)
from tests.unit.trainer.gsplat.engines import (
    OBJECTIVE,
    RATES,
    assert_same_gradients,
    gradient_of,
    gsplat_engine,
    native_gradient_of,
    native_model,
    torch_kernels,
)

SPLATS = random_splats(50)
CAMERA = turned_camera(50, 37)
PHOTO = random_photo(CAMERA)
ROUNDING = 5e-6
NO_PACKED = 10**9

packed_or_not = pytest.mark.parametrize("packed_from", [0, NO_PACKED], ids=["packed", "not-packed"])


def with_degree(degree: int) -> Splats:
    return replace(SPLATS, shN=SPLATS.shN[:, : SH_REST_BY_DEGREE[degree]])


def half_a_mask() -> np.ndarray:
    return (np.random.default_rng(3).random((CAMERA.height, CAMERA.width)) < 0.5).astype(np.uint8)


EXPOSURE = np.array([[0.9, 0.1, 0, 0.02], [0.05, 1.1, 0, -0.03], [0, 0.1, 0.8, 0.05]], np.float32)


def test_the_scene_leaves_nothing_to_rounding() -> None:
    assert_decided(SPLATS, CAMERA)


@packed_or_not
@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_renders_the_same_picture(packed_from: int, antialiased: bool, degree: int) -> None:
    splats = with_degree(degree)

    picture = gsplat_engine(splats, packed_from=packed_from, antialiased=antialiased).render(CAMERA)

    native = native_model(splats, antialiased=antialiased).render(CAMERA)
    np.testing.assert_allclose(picture, native, atol=2e-6)


@packed_or_not
@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize(
    "objective",
    [
        OBJECTIVE,
        replace(OBJECTIVE, ssim_weight=0.0),
        replace(OBJECTIVE, sh_degree=0, background=BACKGROUND),
        replace(OBJECTIVE, sh_degree=1, ssim_weight=1.0),
        replace(OBJECTIVE, opacity_penalty=0.3, scale_penalty=0.2),
    ],
    ids=["default", "l1", "degree-0-background", "ssim", "penalties"],
)
def test_takes_the_same_gradients(packed_from: int, antialiased: bool, objective) -> None:
    engine = gsplat_engine(SPLATS, packed_from=packed_from, antialiased=antialiased)
    native = native_model(SPLATS, antialiased=antialiased)

    ours = engine.step(CAMERA, PHOTO, RATES, objective)

    theirs = native.step(CAMERA, PHOTO, RATES, objective)
    assert (ours.loss, ours.mse) == pytest.approx((theirs.loss, theirs.mse), rel=1e-6)
    assert_same_gradients(gradient_of(engine), native_gradient_of(native), within=ROUNDING)


@pytest.mark.parametrize("ssim_weight", [0.0, 0.2])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("exposed", [False, True])
def test_masks_and_exposure_do_the_same(ssim_weight: float, masked: bool, exposed: bool) -> None:
    engine, native = gsplat_engine(SPLATS), native_model(SPLATS)
    objective = replace(OBJECTIVE, ssim_weight=ssim_weight)
    mask, exposure = half_a_mask() if masked else None, EXPOSURE if exposed else None

    ours = engine.step(CAMERA, PHOTO, RATES, objective, mask=mask, exposure=exposure)

    theirs = native.step(CAMERA, PHOTO, RATES, objective, mask=mask, exposure=exposure)
    assert (ours.loss, ours.mse) == pytest.approx((theirs.loss, theirs.mse), rel=1e-6)
    assert_same_gradients(gradient_of(engine), native_gradient_of(native), within=ROUNDING)
    if exposed:
        assert ours.exposure_gradient is not None
        assert theirs.exposure_gradient is not None
        np.testing.assert_allclose(ours.exposure_gradient, theirs.exposure_gradient, rtol=1e-4, atol=1e-7)
    else:
        assert ours.exposure_gradient is None


def test_a_mask_of_nothing_but_zeros_teaches_nothing() -> None:
    engine, native = gsplat_engine(SPLATS), native_model(SPLATS)
    mask = np.zeros((CAMERA.height, CAMERA.width), np.uint8)

    ours = engine.step(CAMERA, PHOTO, RATES, OBJECTIVE, mask=mask)

    theirs = native.step(CAMERA, PHOTO, RATES, OBJECTIVE, mask=mask)
    assert (ours.loss, ours.mse) == pytest.approx((theirs.loss, theirs.mse), abs=1e-6)
    assert not gradient_of(engine).any()


@packed_or_not
def test_parameters_stay_together_over_steps_and_a_rising_degree(packed_from: int) -> None:
    engine, native = gsplat_engine(SPLATS, packed_from=packed_from), native_model(SPLATS)

    for degree in (0, 0, 1, 2, 3):
        objective = replace(OBJECTIVE, sh_degree=degree)
        engine.step(CAMERA, PHOTO, RATES, objective)
        native.step(CAMERA, PHOTO, RATES, objective)

    ours, theirs = engine.splats(), native.splats()
    for column in fields(Splats):
        distance = np.abs(getattr(ours, column.name) - getattr(theirs, column.name))
        assert distance.max() < 0.01 * getattr(RATES, column.name), column.name


@packed_or_not
def test_statistics_are_the_same_over_views(packed_from: int) -> None:
    engine, native = gsplat_engine(SPLATS, packed_from=packed_from), native_model(SPLATS)
    aside = replace(
        CAMERA, viewmat=CAMERA.viewmat @ np.diag([1.0, 1, 1, 1]) + np.eye(4)[0][:, None] * np.eye(4)[3]
    )
    still = replace(RATES, **{field.name: 0.0 for field in fields(RATES)})

    for camera in (CAMERA, aside):
        engine.step(camera, PHOTO, still, OBJECTIVE)
        native.step(camera, PHOTO, still, OBJECTIVE)

    ours, theirs = engine.statistics(), native.statistics()
    assert len(np.unique(theirs.views)) > 1, "the second view must miss some"
    np.testing.assert_array_equal(ours.views, theirs.views)
    np.testing.assert_allclose(ours.grad2d, theirs.grad2d, rtol=1e-4, atol=1e-9)


@packed_or_not
@pytest.mark.parametrize("antialiased", [False, True])
def test_blends_the_same_values(packed_from: int, antialiased: bool) -> None:
    values = np.random.default_rng(5).random((CAMERA.height, CAMERA.width), dtype=np.float32)

    ours = gsplat_engine(SPLATS, packed_from=packed_from, antialiased=antialiased).blended(CAMERA, values)

    theirs = native_model(SPLATS, antialiased=antialiased).blended(CAMERA, values)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_where_no_alpha_is_above_the_cut_gsplats_other_conventions_change_a_colour_by_a_hundredth() -> None:
    """Two hundred layers of opacity 0.95: every pixel is finished, by the one rule or the other."""
    layers = replace(
        random_splats(200, spread=0.3),
        log_scales=np.full((200, 3), 0.5, np.float32),
        opacities=np.full(200, np.log(0.95 / 0.05), np.float32),
    )
    engine = gsplat_engine(layers, kernels=torch_kernels(alpha_max=0.999, stops_before=True))

    picture, native = engine.render(CAMERA), native_model(layers).render(CAMERA)

    assert 1e-5 < np.abs(picture - native).max() < 0.01 * native.max()
