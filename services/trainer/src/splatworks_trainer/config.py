"""The trainer's options, their ranges, and the profiles people choose from.

Every field says its meaning, where its default comes from, and (as ``Annotated`` range) its unit and limits;
a default without a source is a choice of ours that nothing was measured for. The limits are checked when an
instance is made, so a ``TrainOptions`` that exists is valid. "3DGS" is Kerbl et al. 2023 and its reference
code. Gains in dB are of PSNR on held-out photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Annotated, get_args, get_type_hints

from splatworks_common.reasons import InvalidField

_MOST_BANDS = 3
_MOST_LEVELS = 8


@dataclass(frozen=True)
class Range:
    """The inclusive limits of a number and the unit it is counted in."""

    low: float
    high: float
    unit: str


class EngineName(StrEnum):
    """What renders and optimises."""

    AUTO = "auto"
    NATIVE = "native"
    GSPLAT = "gsplat"


class StrategyName(StrEnum):
    """How Gaussians are added and removed; ``choice`` says what AUTO is."""

    AUTO = "auto"
    ADC = "adc"
    MCMC = "mcmc"


class Holdout(StrEnum):
    """Which photos are kept away from training; see ``holdout``."""

    AUTO = "auto"
    EVERY_N = "every_n"
    NONE = "none"


class Background(StrEnum):
    """What lies behind all Gaussians while training."""

    BLACK = "black"
    WHITE = "white"
    RANDOM = "random"


class PlateauMetric(StrEnum):
    """The figure of held-out photos by which training is judged."""

    PSNR = "psnr"
    COVERED_PSNR = "covered_psnr"
    SSIM = "ssim"


@dataclass(frozen=True)
class TrainOptions:
    """What a caller may choose about a training run. The defaults are the STANDARD profile.

    Raises:
        InvalidField: On construction, naming the field that is out of range.
    """

    max_steps: Annotated[int, Range(0, 200_000, "steps")] = 0
    """Optimisation steps, one photo each, of the whole schedule. 0 derives them from
    ``steps_for_50_photos``."""

    steps_for_50_photos: Annotated[int, Range(10, 100_000, "steps")] = 2000
    """Steps a capture of 24 to 50 photos gets: on fifty 2400 gained 0.3 dB over 1500. More photos hold more
    to learn and get them times sqrt(photos / 50), at most five times as many; fewer overfit earlier and get
    them times photos / 24, at least half as many (18 aerial photos: -0.15 dB with a fifth more)."""

    max_gaussians: Annotated[int, Range(100, 10_000_000, "Gaussians")] = 280_000
    """The budget: never exceeded, by the initial points either. Bounds time and memory. A scene takes what it
    needs, before the insignificant ones go: 50 indoor photos 185,000; 36 full of fine texture all, and with
    240,000 they lose 0.2 dB."""

    max_image_side: Annotated[int, Range(32, 8192, "pixels")] = 960
    """Photos are reduced to this longest side; smaller ones stay as they are. Time grows with the number
    of their pixels."""

    dense_start: Annotated[float | None, Range(0.0, 1.0, "share of max_gaussians")] = None
    """At most this share of the budget begins on surfaces that neighbouring photos agree on (see ``dense``),
    beside the sparse points. None is 0.35, and 0 for few photos; see ``choice``."""

    fill_gaps: bool = True
    """Whether training also starts from guessed points where a photo shows something and the sparse model
    has nothing (forest, lawn). One seed: +0.5 dB on 18 aerial photos; on 50 indoor ones within noise."""

    sh_degree: Annotated[int, Range(0, 3, "degree")] = 3
    """Degree of the spherical harmonics that let colour depend on the direction it is seen from (3DGS)."""

    sh_schedule: tuple[float, ...] = (0.1, 0.2, 0.3)
    """Shares of the run from which SH bands 1, 2 and 3 train, ascending (3DGS: every 1000 steps); a band
    without one trains with the one before it, and all from the start where none is given."""

    resolution_schedule: tuple[tuple[float, float], ...] | None = None
    """Pairs (image size as a share of the full one, share of the run from which it holds), both ascending,
    the first from 0, the last at size 1. Coarse first reached 25 dB in a half to a quarter of the
    time (fifty indoor photos). None leaves it to ``choice``."""

    rate_scale: Annotated[float, Range(0.01, 10.0, "factor")] = 3.0
    """Factor on all of 3DGS' learning rates. In runs this short 2 gained 0.9 dB over 1 (fifty indoor
    photos), 3 another 0.2 to 0.6 dB (one seed, two captures, the shorter run the more)."""

    ssim_weight: Annotated[float | None, Range(0.0, 1.0, "weight")] = None
    """The loss is (1 - weight) * L1 + weight * (1 - SSIM). None is 3DGS' 0.2, and less for few photos; see
    ``choice``."""

    exposure: bool = False
    """Whether an affine change of colours is learned for each photo (as in the 3DGS code's exposure
    compensation): for captures whose exposure changes. Held-out photos are compared as they are, and after
    compensation."""

    background: Background = Background.BLACK
    """What lies behind all Gaussians while training; figures are always taken over black."""

    antialiased: bool = False
    """Mip-Splatting's 2D filter (Yu et al. 2024): Gaussians smaller than a pixel grow fainter instead of
    wider. ``model.ply`` and the compressed scene say so, and Splatworks' own viewer follows; other viewers
    must apply it, too."""

    engine: EngineName = EngineName.AUTO
    """What renders and optimises. AUTO is GSPLAT where a GPU, torch and gsplat are at hand, else NATIVE."""

    require_gpu: bool = False
    """Whether to fail, rather than to train on the CPU, where there is no GPU."""

    strategy: StrategyName = StrategyName.AUTO
    """How Gaussians are added and removed: ADC (Kerbl et al. 2023) or MCMC (Kheradmand et al. 2024)."""

    absgrad: bool = False
    """Whether pulls are added up without regard to their direction (AbsGS, Ye et al. 2024); engine GSPLAT
    only. On the CPU it gained nothing (fifty indoor photos at 480 pixels)."""

    densify_start: Annotated[float, Range(0.0, 1.0, "fraction of the steps")] = 0.02
    """Share of the run at which Gaussians are first added and pruned."""

    densify_until: Annotated[float, Range(0.0, 1.0, "fraction of the steps")] = 0.5
    """Share of the run after which their number is fixed (3DGS: half of it)."""

    densify_rounds: Annotated[int, Range(0, 1000, "rounds")] = 24
    """Rounds of adding and pruning, evenly spaced between the two; 0 keeps the initial Gaussians."""

    densify_grow_gradient: Annotated[float, Range(1e-6, 1.0, "mean |dL/d mean2d|, in half image sizes")] = (
        2e-4
    )
    """A Gaussian whose screen position is pulled harder than this, averaged over the views that see it, is
    cloned or split (3DGS); where the budget is short, those blended into the largest errors are."""

    densify_split_scale: Annotated[float, Range(1e-5, 1.0, "of the scene scale")] = 0.01
    """Gaussians longer than this are split in two smaller ones, shorter ones are cloned (3DGS)."""

    prune_opacity: Annotated[float, Range(0.0, 0.5, "opacity")] = 0.005
    """Gaussians fainter than this are removed (3DGS), or with MCMC moved to where opaque ones are."""

    prune_significance: Annotated[float, Range(0.0, 0.5, "share of what photos show")] = 0.0001
    """Before export, the least significant Gaussians are removed that together make up at most this share of
    all blending weights in the training photos (significance: Trick-GS, Armagan et al. 2025)."""

    evaluations: Annotated[int, Range(1, 1000, "evaluations")] = 12
    """How often the held-out photos are rendered and compared, evenly spaced, the last time after the last
    step."""

    plateau_metric: PlateauMetric = PlateauMetric.PSNR
    """The held-out figure that plateaus are seen in and the model to keep is chosen by. PSNR is
    compensated where exposures are learned; where nothing is covered, COVERED_PSNR is PSNR."""

    plateau_patience: Annotated[int, Range(0, 1000, "evaluations")] = 2
    """Training ends after this many evaluations in a row without a gain, counted from where the resolution
    and the number of Gaussians have stopped growing; 0 never ends early."""

    plateau_min_delta: Annotated[float, Range(0.0, 10.0, "dB, or SSIM")] = 0.02
    """By how much a figure must beat the best one so far to count as a gain."""

    target_psnr: Annotated[float | None, Range(5.0, 100.0, "dB")] = None
    """Training ends at the first evaluation that reaches this held-out PSNR; none trains on. Where no
    photo is held out neither this nor a plateau is ever seen, and all steps are done."""

    holdout: Holdout = Holdout.AUTO
    """Which photos are kept away from training to measure quality. AUTO takes them from the interior of the
    capture, where other photos see the same: at the rim the figure would measure the capture, not the
    training."""

    hold_out_every: Annotated[int, Range(0, 1000, "photos")] = 8
    """With EVERY_N: every so many photos, in the order of their names, one is kept away (the convention of
    the Mip-NeRF 360 benchmark); 0 keeps none away. 1 would leave none to train on and is refused. AUTO
    and NONE ignore it."""

    polish: Annotated[float, Range(0.0, 1.0, "share of the steps")] = 0.1
    """After the figures are taken, training goes on for this share of the steps on all photos, so that those
    held out are not lost to the scene."""

    checkpoint_seconds: Annotated[int, Range(5, 3600, "seconds")] = 45
    """The state of training is kept this often, so that another worker can go on with it. Changes no result;
    at STANDARD's size it takes 0.1 to 0.7 s of training and an upload of up to 268 MB beside it, which on two
    cores delays training by about 2 s."""

    seed: Annotated[int, Range(0, 2**63 - 1, "seed")] = 0
    """Seed of every random choice. With the engine NATIVE the same seed gives the same bytes for any number
    of threads, where the same instruction set is used."""

    def __post_init__(self) -> None:
        for name, limits in ranges().items():
            _check_range(name, getattr(self, name), limits)
        if self.resolution_schedule is not None:
            _check_resolution_schedule(self.resolution_schedule)
        _check_sh_schedule(self.sh_schedule)
        if self.absgrad and self.engine is EngineName.NATIVE:
            raise InvalidField("absgrad", "is for the engine gsplat only")
        if self.require_gpu and self.engine is EngineName.NATIVE:
            raise InvalidField("require_gpu", "the engine native does not use a GPU; choose auto or gsplat")
        if self.hold_out_every == 1:
            raise InvalidField("hold_out_every", "1 leaves no photo to train on; it must be 0, or 2 or more")
        if self.densify_until < self.densify_start:
            raise InvalidField(
                "densify_until",
                f"{self.densify_until} is less than densify_start, {self.densify_start}; it must not be",
            )


@cache
def ranges() -> Mapping[str, Range]:
    """The limits of every option that is a number, by its name, as annotated in ``TrainOptions``."""
    hints = get_type_hints(TrainOptions, include_extras=True)
    return {
        name: limits
        for name, hint in hints.items()
        for limits in get_args(hint)[1:]
        if isinstance(limits, Range)
    }


def _check_range(name: str, value: float | None, limits: Range) -> None:
    if value is not None and not limits.low <= value <= limits.high:
        raise InvalidField(name, f"{value} is not from {limits.low} to {limits.high} ({limits.unit})")


def _check_sh_schedule(starts: tuple[float, ...]) -> None:
    if len(starts) > _MOST_BANDS or list(starts) != sorted(starts) or not all(0 <= s <= 1 for s in starts):
        raise InvalidField(
            "sh_schedule",
            f"{starts} must be at most {_MOST_BANDS} ascending shares of the steps, from 0 to 1",
        )


def _check_resolution_schedule(levels: tuple[tuple[float, float], ...]) -> None:
    if len(levels) > _MOST_LEVELS:
        raise InvalidField(
            "resolution_schedule", f"has {len(levels)} levels; at most {_MOST_LEVELS} are allowed"
        )
    sizes = [size for size, _ in levels]
    starts = [start for _, start in levels]
    ascending = all(a < b for pair in (sizes, starts) for a, b in pairwise(pair))
    if not (levels and ascending and sizes[0] > 0 and sizes[-1] == 1 and starts[0] == 0 and starts[-1] < 1):
        raise InvalidField(
            "resolution_schedule",
            f"{levels} must be pairs (size, start) with both ascending, sizes above 0 and ending at 1, "
            "starts beginning at 0 and below 1",
        )


STANDARD = TrainOptions()
"""A scene to look at: 960 px, about a minute and three quarters for 50 photos on two cores."""

DRAFT = TrainOptions(
    max_image_side=480,
    steps_for_50_photos=1000,
    max_gaussians=50_000,
    resolution_schedule=((0.25, 0.0), (0.5, 0.1), (1.0, 0.4)),
)
"""A first look: 480 px, about a fifth of the time of STANDARD."""

HIGH = TrainOptions(max_image_side=1280, steps_for_50_photos=5000, max_gaussians=300_000)
"""For photos that are worth the time: 1280 px, about twice the time of STANDARD."""
