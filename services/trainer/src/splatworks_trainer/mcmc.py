"""3D Gaussian splatting as Markov chain Monte Carlo: a fixed number that moves to where it is needed.

Kheradmand et al., "3D Gaussian Splatting as Markov Chain Monte Carlo", 2024, with the numbers of gsplat's
``MCMCStrategy``: faint Gaussians are moved onto opaque ones, new ones are put there too, and after every step
all of them take a random walk that opaque ones hardly feel. Penalties on opacity and scale make what is not
needed faint.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import binom, expit, logit

from splatworks_common.splats import Splats
from splatworks_trainer.engine import Edit, Statistics
from splatworks_trainer.initial import FirstLook
from splatworks_trainer.strategy import Errors, Penalties, budget

_WALK = 5e5
"""Length of the random walk in units of the means' learning rate."""

_GROWTH = 1.25
"""By how much a round may grow the number. gsplat has 1.05 in rounds a hundred steps apart; a run of a tenth
as many steps needs more."""

_MOST_COPIES = 51
_LEAST_OPACITY, _MOST_OPACITY = 0.005, 1 - 1e-7


@dataclass(frozen=True)
class MarkovChainMonteCarlo:
    """See the module.

    Attributes:
        max_gaussians: The whole budget; no plan leads beyond it.
        whole_budget_at: The step, from 0, from which the budget is whole; until then it rises with the steps.
        prune_opacity: Opacity up to which a Gaussian is moved to a better place.
    """

    max_gaussians: int
    whole_budget_at: int
    prune_opacity: float

    @property
    def first_look(self) -> FirstLook:
        """See ``Strategy.first_look``."""
        return FirstLook(opacity=0.5, shrink=10.0)

    @property
    def penalties(self) -> Penalties:
        """See ``Strategy.penalties``."""
        return Penalties(opacity=0.01, scale=0.01)

    @property
    def rate_factor(self) -> float:
        """See ``Strategy.rate_factor``: the walk, as long as the means' rate, moves enough by itself."""
        return 2 / 3

    def exploration(self, means_rate: float) -> float:
        """See ``Strategy.exploration``."""
        return _WALK * means_rate

    def plan(
        self, stats: Statistics, errors: Errors, splats: Splats, step: int, rng: np.random.Generator
    ) -> Edit:
        """See ``Strategy.plan``."""
        opacities = expit(splats.opacities.astype(np.float64))
        lives = opacities > self.prune_opacity
        if not lives.any():
            return Edit(keep=np.ones(len(splats), bool), append=splats.take(np.zeros(0, np.intp)))
        most = min(budget(self.max_gaussians, self.whole_budget_at, step), int(_GROWTH * len(splats)))
        added = max(most - len(splats), 0)
        places = np.flatnonzero(lives)
        weights = opacities[places] / opacities[places].sum()
        chosen = rng.choice(places, size=int(np.count_nonzero(~lives)) + added, p=weights)
        parents, extra = np.unique(chosen, return_counts=True)
        keep = lives.copy()
        keep[parents] = False
        return Edit(keep=keep, append=_copies(splats.take(parents), extra + 1))


def _copies(parents: Splats, counts: NDArray[np.intp]) -> Splats:
    """Each parent so many times, so faint and small that together they look as it did (paper, equation 9)."""
    opacities = expit(parents.opacities.astype(np.float64))
    copies = np.minimum(counts, _MOST_COPIES)
    shared = 1 - (1 - opacities) ** (1 / copies)
    factors = opacities / _blended_width(shared, copies)
    shared = np.clip(shared, _LEAST_OPACITY, _MOST_OPACITY)
    smaller = replace(
        parents,
        opacities=logit(shared).astype(np.float32),
        log_scales=parents.log_scales + np.log(factors)[:, None].astype(np.float32),
    )
    return smaller.take(np.repeat(np.arange(len(parents)), counts))


def _blended_width(opacities: NDArray[np.float64], copies: NDArray[np.intp]) -> NDArray[np.float64]:
    """The paper's sum for n ``copies`` of opacity o, which makes up for how they add up, ``[P]``.

    Over i = 1..n and k = 0..i-1 it is that of C(i-1, k) (-1)^k / sqrt(k+1) o^(k+1); by the hockey-stick
    identity the binomials of one k add up to C(n, k+1).
    """
    width = np.empty_like(opacities)
    for n in np.unique(copies):
        alike = copies == n
        k = np.arange(n)
        terms = binom(n, k + 1) * (-1.0) ** k / np.sqrt(k + 1) * opacities[alike, None] ** (k + 1)
        width[alike] = terms.sum(axis=1)
    return width
