from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from splatworks_common.splats import Splats
from splatworks_trainer.adc import AdaptiveDensityControl
from splatworks_trainer.engine import Edit, Statistics
from splatworks_trainer.strategy import Errors

ADC = AdaptiveDensityControl(
    max_gaussians=100, whole_budget_at=0, grow_gradient=0.1, split_length=1.0, prune_opacity=0.005
)
WEAK, STRONG = 0.01, 1.0
SHORT, LONG = 0.5, 2.0


def ten_splats(*, length: float = SHORT, opacity: float = 0.5) -> Splats:
    rng = np.random.default_rng(0)
    return Splats(
        means=rng.normal(0, 10, (10, 3)).astype(np.float32),
        log_scales=np.full((10, 3), np.log(length), np.float32),
        quats=rng.normal(size=(10, 4)).astype(np.float32),
        opacities=np.full(10, logit(opacity), np.float32),
        sh0=rng.normal(size=(10, 3)).astype(np.float32),
        shN=rng.normal(size=(10, 15, 3)).astype(np.float32),
    )


def pulled(*strong: int, views: float = 4) -> Statistics:
    pull = np.full(10, WEAK, np.float32)
    pull[list(strong)] = STRONG
    return Statistics(grad2d=pull * np.float32(views), views=np.full(10, views, np.float32))


def all_alike() -> NDArray[np.float64]:
    return np.ones(10)


def plan(
    stats: Statistics,
    splats: Splats,
    strategy: AdaptiveDensityControl = ADC,
    seed: int = 0,
    errors: Errors = all_alike,
) -> Edit:
    return strategy.plan(stats, errors, splats, 100, np.random.default_rng(seed))


def test_without_pull_nothing_changes() -> None:
    edit = plan(pulled(), ten_splats())

    assert edit.keep.all()
    assert len(edit.append) == 0


def test_a_short_gaussian_is_replaced_by_two_of_its_size_and_colour() -> None:
    splats = ten_splats(length=SHORT)

    edit = plan(pulled(3), splats)

    assert np.flatnonzero(~edit.keep).tolist() == [3]
    assert len(edit.append) == 2
    for name in ("log_scales", "quats", "sh0", "shN"):
        np.testing.assert_array_equal(getattr(edit.append, name), getattr(splats, name)[[3, 3]])


def test_clones_do_not_lie_on_one_spot() -> None:
    edit = plan(pulled(3), ten_splats(length=SHORT))

    assert 0 < np.linalg.norm(edit.append.means[0] - edit.append.means[1]) < 5 * SHORT


def test_a_long_gaussian_is_replaced_by_two_smaller_ones() -> None:
    edit = plan(pulled(3), ten_splats(length=LONG))

    assert np.flatnonzero(~edit.keep).tolist() == [3]
    np.testing.assert_allclose(np.exp(edit.append.log_scales), LONG / 1.6, rtol=1e-6)


def test_split_children_are_drawn_from_their_parent() -> None:
    stretched = np.log(np.array([10.0, 0.1, 0.1], np.float32))
    quarter_turn_about_z = np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)], np.float32)
    splats = replace(
        ten_splats(),
        log_scales=np.tile(stretched, (10, 1)),
        quats=np.tile(3 * quarter_turn_about_z, (10, 1)),
    )

    edit = plan(pulled(*range(10)), splats)

    offsets = edit.append.means - np.concatenate([splats.means, splats.means])
    spread = offsets.std(axis=0)
    assert spread[1] > 3
    assert max(spread[0], spread[2]) < 0.5


@pytest.mark.parametrize("length", [SHORT, LONG])
@pytest.mark.parametrize("opacity", [0.02, 0.5, 0.99])
def test_two_children_hide_as_much_as_their_parent(length: float, opacity: float) -> None:
    edit = plan(pulled(3), ten_splats(length=length, opacity=opacity))

    through_both = np.prod(1 - expit(edit.append.opacities.astype(np.float64)))
    assert through_both == pytest.approx(1 - opacity, rel=1e-4)


def test_an_opaque_gaussian_has_children_with_finite_opacity() -> None:
    splats = replace(ten_splats(), opacities=np.full(10, 80, np.float32))

    edit = plan(pulled(3), splats)

    assert np.isfinite(edit.append.opacities).all()


def test_pull_is_the_mean_over_the_views_that_saw_it() -> None:
    stats = pulled()
    many_views = replace(stats, views=np.full(10, 1000, np.float32), grad2d=np.full(10, 50, np.float32))

    assert plan(many_views, ten_splats()).keep.all()


def test_what_no_view_saw_does_not_grow() -> None:
    unseen = Statistics(np.zeros(10, np.float32), np.zeros(10, np.float32))

    assert plan(unseen, ten_splats()).keep.all()


def test_faint_gaussians_are_removed_and_never_grow() -> None:
    splats = ten_splats()
    splats.opacities[[2, 7]] = logit(0.004)

    edit = plan(pulled(2), splats)

    assert np.flatnonzero(~edit.keep).tolist() == [2, 7]
    assert len(edit.append) == 0


def test_a_short_budget_goes_to_those_with_the_largest_errors() -> None:
    edit = plan(
        pulled(*range(10)),
        ten_splats(),
        replace(ADC, max_gaussians=13),
        errors=lambda: np.array([0, 9, 0, 1, 8, 0, 0, 2, 7, 0]),
    )

    assert np.flatnonzero(~edit.keep).tolist() == [1, 4, 8]
    assert np.count_nonzero(edit.keep) + len(edit.append) == 13


def test_what_is_not_pulled_does_not_grow_however_large_its_error() -> None:
    edit = plan(
        pulled(3, 5, 7),
        ten_splats(),
        replace(ADC, max_gaussians=12),
        errors=lambda: np.array([9, 9, 9, 2, 9, 1, 9, 0, 9, 9]),
    )

    assert np.flatnonzero(~edit.keep).tolist() == [3, 5]


def test_what_has_no_error_grows_where_there_is_room() -> None:
    edit = plan(pulled(3, 5, 7), ten_splats(), replace(ADC, max_gaussians=12), errors=lambda: np.zeros(10))

    assert np.flatnonzero(~edit.keep).tolist() == [3, 5]


def test_errors_are_not_looked_at_where_the_budget_is_not_short_or_spent() -> None:
    def never() -> NDArray[np.float64]:
        raise AssertionError("it costs a render of each photo")

    assert len(plan(pulled(3), ten_splats(), errors=never).append) == 2
    assert plan(pulled(3), ten_splats(), replace(ADC, max_gaussians=10), errors=never).keep.all()


def test_of_equal_errors_the_harder_pull_grows_first() -> None:
    stats = pulled()
    stats.grad2d[:] = np.arange(10, dtype=np.float32) * 4

    edit = plan(stats, ten_splats(), replace(ADC, max_gaussians=13))

    assert np.flatnonzero(~edit.keep).tolist() == [7, 8, 9]


def test_the_budget_grows_with_the_steps_until_it_is_whole() -> None:
    strategy = replace(ADC, max_gaussians=15, whole_budget_at=299)
    counts = []
    for step in (99, 239, 299, 1000):
        edit = strategy.plan(pulled(*range(10)), all_alike, ten_splats(), step, np.random.default_rng(0))
        counts.append(np.count_nonzero(edit.keep) + len(edit.append))

    assert counts == [10, 12, 15, 15]


def test_equal_errors_fill_the_budget_from_the_first() -> None:
    edit = plan(pulled(*range(10)), ten_splats(), replace(ADC, max_gaussians=12))

    assert np.flatnonzero(~edit.keep).tolist() == [0, 1]


def test_removed_gaussians_make_room_in_the_budget() -> None:
    splats = ten_splats()
    splats.opacities[0] = logit(0.001)

    edit = plan(pulled(5, 6), splats, replace(ADC, max_gaussians=10))

    assert np.flatnonzero(~edit.keep).tolist() == [0, 5]
    assert np.count_nonzero(edit.keep) + len(edit.append) == 10


def test_no_gaussians_give_an_empty_edit() -> None:
    none = np.zeros(0, np.float32)
    edit = plan(Statistics(none, none), ten_splats().take(np.zeros(10, bool)))

    assert len(edit.keep) == len(edit.append) == 0


def test_a_plan_follows_from_its_arguments_alone() -> None:
    splats, stats = ten_splats(length=LONG), pulled(1, 2)

    first, again, other = (plan(stats, splats, seed=seed) for seed in (5, 5, 6))

    for field in fields(Splats):
        np.testing.assert_array_equal(getattr(first.append, field.name), getattr(again.append, field.name))
    assert not np.array_equal(first.append.means, other.append.means)


def test_children_stay_in_single_precision() -> None:
    edit = plan(pulled(1), ten_splats())

    assert {getattr(edit.append, field.name).dtype for field in fields(Splats)} == {np.dtype(np.float32)}
