"""Codebooks: the 256 numbers that a texture's bytes stand for.

SOG gives each attribute one codebook, shared by its channels. Readers always fetch all 256 entries, so a
shorter one is padded with its last value.

The spacing is uniform. Bytes are entropy coded after this, and for a given error after entropy coding equal
steps need fewer bits than the denser-where-likelier spacing of k-means (which only wins when codes have a
fixed length).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ENTRIES = 256
"""Entries of every codebook in a file."""


def uniform(
    values: NDArray[np.float32],
    levels: int,
    percentiles: tuple[float, float],
) -> NDArray[np.float32]:
    """``levels`` equally spaced numbers over the range of ``values``, without its outliers.

    Args:
        values: What the codebook shall describe, any shape, not empty.
        levels: How many entries, 2 to 256.
        percentiles: The percentiles of ``values`` that become the first and the last entry.
    """
    low, high = np.percentile(values, percentiles)
    return np.linspace(low, high, levels).astype(np.float32)


def around_zero(
    values: NDArray[np.float32],
    step: float,
    max_levels: int,
) -> NDArray[np.float32]:
    """Multiples of ``step`` that cover ``values``, among them exactly 0.

    Args:
        values: What the codebook shall describe, any shape.
        step: The wanted distance between entries; made wider where ``max_levels`` would not cover the range.
        max_levels: How many entries at most, 3 to 256.
    """
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    step = max(step, (high - low) / (max_levels - 2), float(np.finfo(np.float32).tiny))
    return (np.arange(np.rint(low / step), np.rint(high / step) + 1) * step).astype(np.float32)


def nearest(
    codebook: NDArray[np.float32],  # [L] ascending
    values: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """The index of the closest entry for each value, in the values' shape."""
    middles = (codebook[1:] + codebook[:-1]) / 2
    return np.searchsorted(middles, values).astype(np.uint8)


def padded(codebook: NDArray[np.float32]) -> NDArray[np.float32]:
    """The codebook at the length readers expect, ``[256]``."""
    return np.pad(codebook, (0, ENTRIES - len(codebook)), mode="edge")
