"""The compressor's options, and the steps of its work.

Every field says its meaning, unit, range, default and where the default comes from. "Measured" figures are
of a trained scene of 60,000 Gaussians with SH degree 3 (30.2 dB on held-out photos).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from splatworks_common.reasons import InvalidField

STEPS: Mapping[str, float] = MappingProxyType(
    {"read": 0.02, "order": 0.01, "palette": 0.75, "encode": 0.04, "measure": 0.18}
)
"""The steps and each one's share of the time."""


MAX_PALETTE_ENTRIES = 65536
"""SOG's labels are two bytes."""


class Quality(StrEnum):
    """How bytes are traded for fidelity."""

    HIGH = "high"
    """All bits that the format has, one palette entry per two Gaussians."""
    DEFAULT = "default"
    """A loss that only instruments see."""
    SMALL = "small"
    """For slow networks: a loss that shows in a direct comparison."""


@dataclass(frozen=True)
class Shifts:
    """How many low bits each attribute gives up; 0 keeps all that the format has."""

    positions: int
    rotations: int
    scales: int
    colours: int
    opacities: int


@dataclass(frozen=True)
class Preset:
    """What a quality stands for.

    Attributes:
        shifts: Low bits given up per attribute.
        gaussians_per_entry: Gaussians per palette entry: the palette's size follows the scene's.
        most_entries: Entries beyond which it does not follow: the search takes Gaussians times entries.
    """

    shifts: Shifts
    gaussians_per_entry: int
    most_entries: int


PRESETS: Mapping[Quality, Preset] = MappingProxyType(
    {
        Quality.HIGH: Preset(Shifts(0, 0, 0, 0, 0), gaussians_per_entry=2, most_entries=MAX_PALETTE_ENTRIES),
        Quality.DEFAULT: Preset(Shifts(1, 0, 1, 1, 1), gaussians_per_entry=4, most_entries=49_152),
        Quality.SMALL: Preset(Shifts(2, 1, 1, 2, 2), gaussians_per_entry=16, most_entries=8192),
    }
)


@dataclass(frozen=True, kw_only=True)
class CompressOptions:
    """What a caller may choose about a compression.

    Raises:
        InvalidField: On construction, naming the field that is out of range.
    """

    quality: Quality = Quality.DEFAULT
    """How bytes are traded for fidelity: high, default or small."""

    palette_entries: int = 0
    """Entries of the palette of higher SH bands, 0 to 65536. 0 lets the quality and the number of Gaussians
    decide. Time grows in proportion; twice as many give about 1.7 dB against the uncompressed render and
    cost 1 to 3 bytes a Gaussian."""

    palette_iterations: int = 2
    """Rounds of k-means for the palette, 1 to 100. Measured: 1 loses 0.4 dB against the uncompressed
    render, 4 gain 0.1 dB in one and a half times the time, which a larger palette uses better."""

    measured_views: int = 16
    """Views rendered before and after compression to measure the loss, 1 to 10000: all that the
    trainer held out, and others evenly spaced up to this number."""

    seed: int = 0
    """Seed of the palette, 0 to 2^63 - 1. The same scene, options and seed give the same bytes."""

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "quality", Quality(self.quality))
        except ValueError as error:
            known = ", ".join(Quality)
            raise InvalidField("quality", f"is {self.quality!r}; it must be one of {known}") from error
        for name, low, high in (
            ("palette_entries", 0, MAX_PALETTE_ENTRIES),
            ("palette_iterations", 1, 100),
            ("measured_views", 1, 10_000),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidField(name, f"is {value}; it must lie between {low} and {high}")

    @property
    def preset(self) -> Preset:
        """What the chosen quality stands for."""
        return PRESETS[self.quality]

    def palette_size(self, gaussians: int) -> int:
        """Palette entries for a scene of so many Gaussians: whole rows of 64, as the texture has them."""
        if self.palette_entries:
            return self.palette_entries
        rows = -(-gaussians // (64 * self.preset.gaussians_per_entry))
        return min(64 * rows, self.preset.most_entries)
