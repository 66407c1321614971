"""Adaptive density control: Gaussians that are pulled hard become two, faint ones go."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from splatworks_common.splats import Splats, rotation_matrices
from splatworks_trainer.engine import Edit, Statistics
from splatworks_trainer.initial import FirstLook
from splatworks_trainer.strategy import NO_PENALTIES, Errors, Penalties, budget, concatenated

_SPLIT_SHRINK = 1.6
_LEAST_OPACITY, _MOST_OPACITY = 1e-4, 0.999


@dataclass(frozen=True)
class AdaptiveDensityControl:
    """ADC of 3DGS (Kerbl et al. 2023, section 5.2) with revised opacities and a growing budget.

    A Gaussian whose screen position is pulled hard is replaced by two: a long one by two smaller ones drawn
    from it (split), a short one by two of its size (clone). Both get the opacity 1 - sqrt(1 - o), with which
    the two hide as much as the one did (Rota Bulo et al. 2024). Faint Gaussians are removed.

    The budget rises in proportion to the steps until it is whole. Spent at once it would go to what looks
    coarse in small pictures; saved, it meets the details of larger ones (1 dB more at equal numbers, in one
    short run on fifty phone photos). A dense start has spent the first of it. Where it is short it goes to
    those blended into the largest errors (see ``errors``): 0.4 dB more on 36 photos than where it goes to
    those pulled hardest.

    Clones replace their parent instead of joining it, and one of them is drawn from it: two Gaussians of the
    same values and fresh moments would get the same gradients and stay one for ever.

    Attributes:
        max_gaussians: The whole budget; no plan leads beyond it.
        whole_budget_at: The step, from 0, from which the budget is whole.
        grow_gradient: Mean pull, in half image sizes, from which a Gaussian is replaced by two.
        split_length: Longest standard deviation, in world units, that is still cloned and not split.
        prune_opacity: Opacity under which a Gaussian is removed.
    """

    max_gaussians: int
    whole_budget_at: int
    grow_gradient: float
    split_length: float
    prune_opacity: float

    @property
    def first_look(self) -> FirstLook:
        """See ``Strategy.first_look``."""
        return FirstLook(opacity=0.1, shrink=1.0)

    @property
    def penalties(self) -> Penalties:
        """See ``Strategy.penalties``."""
        return NO_PENALTIES

    @property
    def rate_factor(self) -> float:
        """See ``Strategy.rate_factor``."""
        return 1.0

    def exploration(self, means_rate: float) -> float:
        """See ``Strategy.exploration``."""
        return 0.0

    def plan(
        self, stats: Statistics, errors: Errors, splats: Splats, step: int, rng: np.random.Generator
    ) -> Edit:
        """See ``Strategy.plan``."""
        survives = expit(splats.opacities) >= self.prune_opacity
        pull = stats.grad2d / np.maximum(stats.views, 1)
        room = max(0, budget(self.max_gaussians, self.whole_budget_at, step) - int(survives.sum()))
        grows = survives & (pull > self.grow_gradient)
        if room == 0:
            grows = np.zeros_like(grows)
        elif np.count_nonzero(grows) > room:
            grows = _first(np.lexsort((-pull, -errors(), ~grows)), room)
        is_long = np.exp(splats.log_scales.max(axis=1)) > self.split_length
        split, clone = splats.take(grows & is_long), splats.take(grows & ~is_long)
        children = concatenated(
            _drawn(split, 1.0, _SPLIT_SHRINK, rng),
            _drawn(split, 1.0, _SPLIT_SHRINK, rng),
            _drawn(clone, 0.0, 1.0, rng),
            _drawn(clone, 1.0, 1.0, rng),
        )
        return Edit(keep=survives & ~grows, append=children)


def _first(order: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    """A mask of the first ``count`` of an order."""
    mask = np.zeros(len(order), bool)
    mask[order[:count]] = True
    return mask


def _drawn(parents: Splats, spread: float, shrink: float, rng: np.random.Generator) -> Splats:
    """One half-as-dense child of each, ``spread`` standard deviations away, its scales / ``shrink``."""
    local = rng.standard_normal(parents.means.shape) * np.exp(parents.log_scales) * spread
    world = np.einsum("nij,nj->ni", rotation_matrices(parents.quats), local)
    opacity = 1 - np.sqrt(1 - expit(parents.opacities.astype(np.float64)))
    return replace(
        parents,
        means=(parents.means + world).astype(np.float32),
        log_scales=parents.log_scales - np.float32(np.log(shrink)),
        opacities=logit(np.clip(opacity, _LEAST_OPACITY, _MOST_OPACITY)).astype(np.float32),
    )
