"""The trainer's options, their ranges, and the profiles people choose from.

Every field says its meaning, its default's source, and (as ``Annotated`` range) its unit and limits; the
limits are checked when an instance is made, so a ``TrainOptions`` that exists is valid. "3DGS" is Kerbl et
al. 2023 and its reference code. Gains in dB are of PSNR on held-out photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, get_args, get_type_hints

from splatworks_common.reasons import InvalidField


@dataclass(frozen=True)
class Range:
    """The inclusive limits of a number and the unit it is counted in."""

    low: float
    high: float
    unit: str


@dataclass(frozen=True)
class TrainOptions:
    """What a caller may choose about a training run. The defaults are the STANDARD profile.

    Raises:
        InvalidField: On construction, naming the field that is out of range.
    """

    max_steps: Annotated[int, Range(0, 200_000, "steps")] = 0
    """Optimisation steps, one photo each, of the whole schedule. 0 derives them from
    ``steps_for_50_photos``."""

    steps_for_50_photos: Annotated[int, Range(10, 100_000, "steps")] = 2400
    """Steps a capture of 50 photos gets; others get them times sqrt(photos / 50), between half and five times
    as many. More photos hold more to learn, fewer overfit earlier: on 19 photos held-out PSNR was best after
    1000 of 2000 steps."""

    max_gaussians: Annotated[int, Range(100, 10_000_000, "Gaussians")] = 160_000
    """The budget: never exceeded, by the initial points either. Bounds time and memory. Together with 24
    ``densify_rounds`` from 2 % it gained 0.4 dB on one capture over 120,000 with 18 from 5 %."""

    max_image_side: Annotated[int, Range(32, 8192, "pixels")] = 960
    """Photos are reduced to this longest side; smaller ones stay as they are. Time grows with the number
    of their pixels."""

    fill_gaps: bool = True
    """Whether training also starts from guessed points where a photo shows something and the sparse model
    has nothing (forest, lawn). One seed: +0.5 dB on 18 aerial photos; on 50 indoor ones within noise."""

    sh_degree: Annotated[int, Range(0, 3, "degree")] = 3
    """Degree of the spherical harmonics that let colour depend on the direction it is seen from (3DGS)."""

    sh_interval: Annotated[float, Range(0.0, 1.0, "fraction of the steps")] = 0.1
    """After each such share of the run one more SH band starts to train; 0 trains all from the start (3DGS:
    every 1000 steps)."""

    resolution_schedule: tuple[tuple[float, float], ...] = (
        (0.125, 0.0),
        (0.25, 0.1),
        (0.5, 0.25),
        (1.0, 0.6),
    )
    """Pairs (image size as a share of the full one, share of the run from which it holds), both ascending,
    the first from 0, the last at size 1. Coarse first reached 25 dB in a half to a quarter of the
    time (fifty indoor photos)."""

    rate_scale: Annotated[float, Range(0.01, 10.0, "factor")] = 3.0
    """Factor on all of 3DGS' learning rates. In runs this short 2 gained 0.9 dB over 1 (fifty indoor
    photos), 3 another 0.2 to 0.6 dB (one seed, two captures, the shorter run the more)."""

    ssim_weight: Annotated[float, Range(0.0, 1.0, "weight")] = 0.2
    """The loss is (1 - weight) * L1 + weight * (1 - SSIM) (3DGS)."""

    densify_from: Annotated[float, Range(0.0, 1.0, "fraction of the steps")] = 0.02
    """Share of the run at which Gaussians are first added and pruned."""

    densify_until: Annotated[float, Range(0.0, 1.0, "fraction of the steps")] = 0.5
    """Share of the run after which their number is fixed (3DGS: half of it)."""

    densify_rounds: Annotated[int, Range(0, 1000, "rounds")] = 24
    """Rounds of adding and pruning, evenly spaced between the two; 0 keeps the initial Gaussians."""

    grow_gradient: Annotated[float, Range(1e-6, 1.0, "mean |dL/d mean2d|, in half image sizes")] = 2e-4
    """A Gaussian whose screen position is pulled harder than this, averaged over the views that see it, is
    cloned or split (3DGS)."""

    split_scale: Annotated[float, Range(1e-5, 1.0, "of the scene scale")] = 0.01
    """Gaussians longer than this are split in two smaller ones, shorter ones are cloned (3DGS)."""

    prune_opacity: Annotated[float, Range(0.0, 0.5, "opacity")] = 0.005
    """Gaussians fainter than this are removed (3DGS)."""

    evaluations: Annotated[int, Range(1, 1000, "evaluations")] = 12
    """How often the held-out photos are rendered and compared, evenly spaced, the last time after the last
    step."""

    plateau_patience: Annotated[int, Range(0, 1000, "evaluations")] = 2
    """Training ends after this many evaluations in a row without a better held-out PSNR, counted from where
    the resolution and the number of Gaussians have stopped growing; 0 never ends early."""

    plateau_min_delta: Annotated[float, Range(0.0, 10.0, "dB")] = 0.02
    """By how much a PSNR must beat the best one so far to count as better."""

    target_psnr: Annotated[float | None, Range(5.0, 100.0, "dB")] = None
    """Training ends at the first evaluation that reaches this held-out PSNR; none trains on."""

    hold_out_every: Annotated[int, Range(0, 1000, "photos")] = 8
    """Every so many photos, in the order of their names, one is kept away from training to measure quality
    (the convention of the Mip-NeRF 360 benchmark); 0 keeps none away, and then there is no held-out PSNR. 1
    would leave none to train on and is refused."""

    checkpoint_seconds: Annotated[int, Range(5, 3600, "seconds")] = 30
    """The state of training is kept this often, so that another worker can go on with it. Changes no result;
    at STANDARD's size it takes 0.1 s of training and an upload of up to 153 MB beside it."""

    seed: Annotated[int, Range(0, 2**63 - 1, "seed")] = 0
    """Seed of every random choice; the same seed gives the same bytes for any number of threads."""

    def __post_init__(self) -> None:
        for name, limits in ranges().items():
            _check_range(name, getattr(self, name), limits)
        _check_resolution_schedule(self.resolution_schedule)
        if self.hold_out_every == 1:
            raise InvalidField("hold_out_every", "1 leaves no photo to train on; it must be 0, or 2 or more")
        if self.densify_until < self.densify_from:
            raise InvalidField(
                "densify_until",
                f"{self.densify_until} is less than densify_from, {self.densify_from}; it must not be",
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


def _check_resolution_schedule(levels: tuple[tuple[float, float], ...]) -> None:
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
"""A scene to look at: 960 px, about a minute and a half for 50 photos on two cores."""

DRAFT = TrainOptions(
    max_image_side=480,
    steps_for_50_photos=1000,
    max_gaussians=50_000,
    resolution_schedule=((0.25, 0.0), (0.5, 0.1), (1.0, 0.4)),
)
"""A first look: 480 px, about a quarter of the time of STANDARD."""
