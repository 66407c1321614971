"""What the engine does by itself: edits, states, arguments, and errors that say what to do."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from splatworks_common.reasons import OutOfMemory
from splatworks_common.splats import Splats
from splatworks_trainer.engine import Edit
from splatworks_trainer.engines.gsplat.kernels import Kernels
from tests.unit.rasterizer.scenes import random_photo, random_splats, turned_camera
from tests.unit.trainer.gsplat.engines import OBJECTIVE, RATES, gradient_of, gsplat_engine, torch_kernels

SPLATS = random_splats(20)
CAMERA = turned_camera(24, 18)
PHOTO = random_photo(CAMERA)


def assert_same_state(engine, other) -> None:
    ours, theirs = engine.state(), other.state()
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)


def recording_kernels(calls: list[dict[str, Any]]) -> Kernels:
    """Slow kernels that note how gsplat's would have been called."""
    kernels = torch_kernels()

    def rasterization(**arguments: Any):
        calls.append(arguments)
        return kernels.rasterization(**arguments)

    return replace(kernels, rasterization=rasterization)


def test_an_edit_keeps_moments_of_those_that_stay_and_gives_none_to_those_that_come() -> None:
    engine = gsplat_engine(SPLATS)
    engine.step(CAMERA, PHOTO, RATES, OBJECTIVE)
    before = engine.state()
    keep = np.arange(20) % 3 > 0
    added = random_splats(5, seed=9)

    engine.apply(Edit(keep, added))

    after = engine.state()
    kept = int(keep.sum())
    assert engine.count == kept + 5
    for column in fields(Splats):
        name = column.name.lower()
        np.testing.assert_array_equal(after[name][:kept], before[name][keep])
        np.testing.assert_array_equal(after[name][kept:], getattr(added, column.name))
        for moment in ("first_", "second_"):
            np.testing.assert_array_equal(after[moment + name][:kept], before[moment + name][keep])
            assert not after[moment + name][kept:].any()
    assert before["views"].any()
    assert not after["views"].any(), "the statistics begin anew"
    assert after["steps"] == before["steps"]


def test_steps_go_on_after_an_edit() -> None:
    engine = gsplat_engine(SPLATS)
    engine.step(CAMERA, PHOTO, RATES, OBJECTIVE)
    engine.apply(Edit(np.ones(20, bool), random_splats(5, seed=9)))

    engine.step(CAMERA, PHOTO, RATES, OBJECTIVE)

    assert np.abs(engine.state()["first_means"][20:]).sum() > 0


def test_an_edit_beyond_the_capacity_is_refused_and_changes_nothing() -> None:
    engine = gsplat_engine(SPLATS)

    with pytest.raises(ValueError, match="1010 Gaussians do not fit a capacity of 1000"):
        engine.apply(Edit(np.arange(20) < 10, random_splats(1000)))

    assert engine.count == 20


def test_a_restored_engine_goes_on_as_if_nothing_had_been() -> None:
    engine, other = gsplat_engine(SPLATS), gsplat_engine(random_splats(3))
    engine.step(CAMERA, PHOTO, RATES, OBJECTIVE)
    state = {name: values.copy() for name, values in engine.state().items()}
    for values in state.values():
        values.flags.writeable = False

    other.restore(state)

    assert_same_state(engine, other)
    for each in (engine, other):
        each.step(CAMERA, PHOTO, RATES, OBJECTIVE)
        each.perturb(1.0, seed=4)
    assert_same_state(engine, other)


def test_a_state_is_a_copy() -> None:
    engine = gsplat_engine(SPLATS)
    state, splats = engine.state(), engine.splats()

    engine.step(CAMERA, PHOTO, RATES, OBJECTIVE)

    np.testing.assert_array_equal(state["means"], SPLATS.means)
    np.testing.assert_array_equal(splats.means, SPLATS.means)
    assert not state["views"].any()


@pytest.mark.parametrize("name", sorted(gsplat_engine(SPLATS).state()))
@pytest.mark.parametrize("spoil", ["missing", "shape", "type"])
def test_a_spoiled_state_is_refused_and_changes_nothing(name: str, spoil: str) -> None:
    engine = gsplat_engine(random_splats(3))
    state = dict(gsplat_engine(SPLATS).state())
    if spoil == "missing":
        del state[name]
    elif spoil == "shape":
        state[name] = np.zeros((7, 2), state[name].dtype)
    else:
        state[name] = state[name].astype(np.float16)

    with pytest.raises(ValueError, match="state"):
        engine.restore(state)

    assert_same_state(engine, gsplat_engine(random_splats(3)))


def test_a_state_of_another_sh_degree_is_refused() -> None:
    flat = replace(SPLATS, shN=SPLATS.shN[:, :3])

    with pytest.raises(ValueError, match=r"shn of the state is float32 \(20, 15, 3\)"):
        gsplat_engine(flat).restore(gsplat_engine(SPLATS).state())


def test_more_gaussians_than_the_capacity_are_refused() -> None:
    with pytest.raises(ValueError, match="20 Gaussians do not fit a capacity of 19"):
        gsplat_engine(SPLATS, capacity=19)
    with pytest.raises(ValueError, match="not one of at most 19 Gaussians"):
        gsplat_engine(random_splats(3), capacity=19).restore(gsplat_engine(SPLATS).state())


def test_nothing_looks_like_the_background() -> None:
    engine = gsplat_engine(random_splats(0))

    photo = np.full_like(PHOTO, 51)
    assert not engine.render(CAMERA).any()
    assert engine.step(CAMERA, photo, RATES, replace(OBJECTIVE, background=(0.2, 0.2, 0.2))).mse < 1e-12
    assert engine.blended(CAMERA, np.ones((18, 24), np.float32)).shape == (0,)
    engine.perturb(1.0, seed=0)
    assert engine.count == len(engine.statistics().views) == len(engine.splats()) == 0


@pytest.mark.parametrize("packed_from", [0, 10**9])
def test_a_camera_that_sees_nothing_teaches_nothing(packed_from: int) -> None:
    engine = gsplat_engine(SPLATS, packed_from=packed_from)
    behind = replace(CAMERA, viewmat=np.diag([-1.0, 1, -1, 1]) @ CAMERA.viewmat)

    engine.step(behind, PHOTO, RATES, OBJECTIVE)

    assert not engine.statistics().views.any()
    assert not gradient_of(engine).any()
    np.testing.assert_array_equal(engine.splats().means, SPLATS.means)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("column", [column.name for column in fields(Splats)])
def test_a_value_that_is_not_finite_shows_in_the_loss(column: str, value: float) -> None:
    splats = random_splats(20)
    getattr(splats, column)[7] = value

    result = gsplat_engine(splats).step(CAMERA, PHOTO, RATES, OBJECTIVE)

    assert np.isnan(result.loss)


def test_rates_of_zero_leave_their_group_alone() -> None:
    engine = gsplat_engine(SPLATS)

    engine.step(CAMERA, PHOTO, replace(RATES, means=0.0), OBJECTIVE)

    after = engine.splats()
    np.testing.assert_array_equal(after.means, SPLATS.means)
    assert (after.sh0 != SPLATS.sh0).any()


def test_absolute_gradients_do_not_cancel() -> None:
    plain, absolute = gsplat_engine(SPLATS), gsplat_engine(SPLATS, absgrad=True)
    packed = gsplat_engine(SPLATS, absgrad=True, packed_from=0)

    for engine in (plain, absolute, packed):
        engine.step(CAMERA, PHOTO, RATES, OBJECTIVE)

    pull, larger = plain.statistics().grad2d, absolute.statistics().grad2d
    assert (larger[pull > 0] > pull[pull > 0]).all()
    np.testing.assert_allclose(packed.statistics().grad2d, larger, rtol=1e-5)
    np.testing.assert_array_equal(plain.splats().means, absolute.splats().means)


def test_options_and_conventions_reach_gsplat() -> None:
    calls: list[dict[str, Any]] = []
    options: dict[str, Any] = {"absgrad": True, "packed_from": 20, "antialiased": True}

    gsplat_engine(SPLATS, kernels=recording_kernels(calls), **options).render(CAMERA)
    gsplat_engine(SPLATS, kernels=recording_kernels(calls), packed_from=21).render(CAMERA)

    same = {"near_plane": 0.01, "far_plane": 1e10, "eps2d": 0.3, "width": 24, "height": 18}
    first = {"absgrad": True, "packed": True, "rasterize_mode": "antialiased"}
    second = {"absgrad": False, "packed": False, "rasterize_mode": "classic"}
    for call, expected in zip(calls, (first | same, second | same), strict=True):
        assert {name: call[name] for name in expected} == expected
    np.testing.assert_allclose(calls[0]["viewmats"][0], CAMERA.viewmat, rtol=1e-6)
    np.testing.assert_allclose(
        calls[0]["Ks"][0],
        np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1]]),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"photo": PHOTO[:-1]}, r"photo is uint8 \(17, 24, 3\), not uint8 \(18, 24, 3\)"),
        ({"photo": PHOTO.astype(np.float32)}, "photo is float32"),
        ({"mask": np.ones((18, 24), bool)}, "mask is bool"),
        ({"mask": np.ones((24, 18), np.uint8)}, r"mask is uint8 \(24, 18\)"),
        ({"exposure": np.eye(3, dtype=np.float32)}, r"exposure is float32 \(3, 3\), not float32 \(3, 4\)"),
        ({"objective": replace(OBJECTIVE, sh_degree=3)}, "SH degree 3 was asked of Gaussians of 2"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    engine = gsplat_engine(replace(SPLATS, shN=SPLATS.shN[:, :8]))
    photo = arguments.pop("photo", PHOTO)
    objective = arguments.pop("objective", replace(OBJECTIVE, sh_degree=2))

    with pytest.raises(ValueError, match=message):
        engine.step(CAMERA, photo, RATES, objective, **arguments)


def test_memory_that_runs_out_is_told_with_the_remedy() -> None:
    def rasterization(**_: Any):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    engine = gsplat_engine(SPLATS, kernels=replace(torch_kernels(), rasterization=rasterization))

    with pytest.raises(
        OutOfMemory, match=r"20 Gaussians at 24x18 pixels; lower max_gaussians or max_image_side"
    ):
        engine.render(CAMERA)
    with pytest.raises(OutOfMemory, match="max_gaussians"):
        engine.step(CAMERA, PHOTO, RATES, OBJECTIVE)
    with pytest.raises(OutOfMemory, match="max_gaussians"):
        engine.blended(CAMERA, np.ones((18, 24), np.float32))
