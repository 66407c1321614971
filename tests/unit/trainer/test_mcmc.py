from __future__ import annotations

from math import comb, sqrt

import numpy as np
import pytest
from scipy.special import expit, logit

from splatworks_common.splats import Splats
from splatworks_trainer.engine import Edit, Statistics
from splatworks_trainer.mcmc import MarkovChainMonteCarlo

FAINT, SOLID = 0.001, 0.6


def splats(opacities: list[float]) -> Splats:
    n = len(opacities)
    return Splats(
        means=np.arange(3 * n, dtype=np.float32).reshape(n, 3),
        log_scales=np.zeros((n, 3), np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        opacities=logit(np.array(opacities)).astype(np.float32),
        sh0=np.zeros((n, 3), np.float32),
        shN=np.zeros((n, 0, 3), np.float32),
    )


def planned(table: Splats, *, max_gaussians: int, seed: int = 0) -> Edit:
    nothing = np.zeros(len(table), np.float32)
    strategy = MarkovChainMonteCarlo(max_gaussians, whole_budget_at=0, prune_opacity=0.005)
    stats = Statistics(nothing, nothing)
    return strategy.plan(stats, lambda: nothing.astype(np.float64), table, 0, np.random.default_rng(seed))


def count_after(edit: Edit) -> int:
    return int(np.count_nonzero(edit.keep)) + len(edit.append)


def test_faint_gaussians_move_to_where_opaque_ones_are() -> None:
    table = splats([FAINT, SOLID, FAINT, FAINT])

    edit = planned(table, max_gaussians=4)

    assert edit.keep.tolist() == [False, False, False, False]
    assert (edit.append.means == table.means[1]).all()
    assert len(edit.append) == 4


def test_the_number_grows_by_a_quarter_until_the_budget_is_spent() -> None:
    table = splats([SOLID] * 100)

    counts = [count_after(planned(table, max_gaussians=most)) for most in (1000, 110, 100)]

    assert counts == [125, 110, 100]


def test_a_scene_that_has_grown_too_large_loses_none() -> None:
    assert count_after(planned(splats([SOLID] * 10), max_gaussians=5)) == 10


def test_where_all_are_faint_none_is_moved() -> None:
    edit = planned(splats([FAINT] * 5), max_gaussians=100)

    assert edit.keep.all()
    assert len(edit.append) == 0


def test_the_more_opaque_draw_more_of_the_others() -> None:
    table = splats([0.05, 0.9] + [FAINT] * 1000)

    edit = planned(table, max_gaussians=len(table))

    near_solid = np.count_nonzero(edit.append.means[:, 0] == table.means[1, 0])
    assert 0.9 < near_solid / len(edit.append) < 0.98


@pytest.mark.parametrize("copies", [2, 3, 7])
def test_copies_together_hide_as_much_as_the_one_did(copies: int) -> None:
    edit = planned(splats([SOLID] + [FAINT] * (copies - 1)), max_gaussians=copies)

    transmittance = np.prod(1 - expit(edit.append.opacities.astype(np.float64)))
    assert transmittance == pytest.approx(1 - SOLID, abs=1e-6)


@pytest.mark.parametrize("copies", [2, 5, 20])
def test_copies_shrink_as_the_paper_says(copies: int) -> None:
    edit = planned(splats([SOLID] + [FAINT] * (copies - 1)), max_gaussians=copies)

    shared = 1 - (1 - SOLID) ** (1 / copies)
    width = sum(
        comb(i - 1, k) * (-1) ** k / sqrt(k + 1) * shared ** (k + 1)
        for i in range(1, copies + 1)
        for k in range(i)
    )
    np.testing.assert_allclose(np.exp(edit.append.log_scales), SOLID / width, rtol=1e-5)


def test_the_random_walk_is_as_long_as_the_rate_of_the_means() -> None:
    strategy = MarkovChainMonteCarlo(1, 0, 0.005)

    assert strategy.exploration(2e-4) == pytest.approx(100.0)
    assert strategy.exploration(0.0) == 0.0


def test_the_same_seed_plans_the_same() -> None:
    table = splats([0.2, 0.5, 0.9] + [FAINT] * 20)

    first, second = (planned(table, max_gaussians=30, seed=7) for _ in range(2))

    np.testing.assert_array_equal(first.append.means, second.append.means)
