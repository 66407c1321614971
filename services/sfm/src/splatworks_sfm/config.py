"""The settings of the sfm stage: one frozen dataclass, every field with meaning, unit, range and default.

Defaults are the "balanced" preset: the same photos register as with COLMAP's own defaults, at a quarter of
the time and a tenth of the memory. Nothing here is read from the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from splatworks_common.reasons import InvalidField


class Matching(StrEnum):
    """Which pairs of photos are compared."""

    AUTO = "auto"
    """Sequential for more than ``sequential_above`` photos in a known order, else exhaustive."""
    EXHAUSTIVE = "exhaustive"
    """Every photo with every other: the safest, and quadratic in the number of photos."""
    SEQUENTIAL = "sequential"
    """Each photo with its neighbours in capture order, with a few long jumps that close loops."""


RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "threads": (1, 256),
        "seed": (0, 2**31 - 1),
        "max_photos": (3, 100_000),
        "max_photo_pixels": (1_000_000, 178_000_000),
        "max_photo_size": (512, 16_000),
        "min_photo_side": (64, 4096),
        "max_feature_size": (256, 8192),
        "max_features": (256, 65_536),
        "sequential_above": (3, 100_000),
        "sequential_overlap": (1, 1000),
        "min_registered_fraction": (0, 1),
        "max_undistorted_size": (256, 16_000),
        "jpeg_quality": (50, 100),
        "max_archive_entries": (1, 1_000_000),
        "max_archive_bytes": (1, 2**40),
        "max_archive_ratio": (2, 2000),
    }
)
"""The least and the greatest value of every option that is a number."""


@dataclass(frozen=True, kw_only=True)
class SfmOptions:
    """Everything a caller may set.

    Raises:
        InvalidField: On construction, naming the field that is out of range.
    """

    threads: int = 2
    """Threads of every step but mapping, which has one, 1 to 256. Give the CPU limit of the worker; features
    take about 0.2 GB a thread. The result does not depend on it."""

    seed: int = 0
    """Seed of every random choice, 0 to 2^31 - 1. The same seed and photos give the same bytes."""

    max_photos: int = 2000
    """Most files looked at, 3 to 100000."""

    max_photo_pixels: int = 150_000_000
    """Pixels (width x height in the header) above which a photo is skipped undecoded, 1e6 to 178e6, where
    Pillow itself stops."""

    max_photo_size: int = 3200
    """Longest side, pixels, photos are reduced to at ingest, 512 to 16000: twice what the later steps look
    at, so that undistortion still samples downwards."""

    min_photo_side: int = 256
    """Shortest side, pixels, below which a photo is skipped, 64 to 4096."""

    max_feature_size: int = 1600
    """Longest side, pixels, of the copy features are found on, 256 to 8192. Twice the size costs about four
    times the time."""

    max_features: int = 4096
    """Most features kept of one photo, 256 to 65536."""

    matching: Matching = Matching.AUTO
    """Which pairs of photos are compared."""

    sequential_above: int = 60
    """Number of photos above which ``auto`` matching is sequential, 3 to 100000."""

    sequential_overlap: int = 10
    """How many following photos each photo is compared with in sequential matching, 1 to 1000."""

    min_registered_fraction: float = 0.5
    """Share of the used photos that must be placed for the result to count, 0 to 1."""

    max_undistorted_size: int = 1600
    """Longest side, pixels, of the undistorted photos, 256 to 16000."""

    jpeg_quality: int = 95
    """Quality of the photos after ingest and after undistortion, 50 to 100."""

    max_archive_entries: int = 10_000
    """Most entries of a .zip, 1 to 1000000."""

    max_archive_bytes: int = 32 * 2**30
    """Most bytes all entries of a .zip may unpack to, 1 to 2^40, counted while they are written."""

    max_archive_ratio: int = 200
    """Most bytes one entry may unpack to for each of its packed bytes, 2 to 2000. Photos are near 1."""

    def __post_init__(self) -> None:
        for name, (lowest, highest) in RANGES.items():
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise InvalidField(name, f"{value} is not from {lowest} to {highest}")
        if self.matching not in set(Matching):
            raise InvalidField("matching", f"{self.matching!r} is not one of {', '.join(Matching)}")
