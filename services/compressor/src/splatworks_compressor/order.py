"""The order of Gaussians in the textures: along a Hilbert curve through the 16-bit position grid.

Neighbours in a texture should be neighbours in space, so that lossless image compression finds similar
texels side by side and a viewer's sorter finds compact groups. A space-filling curve reaches what any
ordering can gain in O(N log N); iterative image-space sorting (PLAS) was measured to be no smaller and
hundreds of times slower.

Assumes the integer grid the positions are stored on, so equal positions get equal keys; ties keep their input
order, which makes the order a function of the input alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GRID_BITS = 16
"""Bits per axis of the position grid, given by SOG's two bytes per coordinate."""


def hilbert_keys(
    grid: NDArray[np.integer],  # [N, 3] in 0 .. 2**bits - 1
    bits: int = GRID_BITS,
) -> NDArray[np.uint64]:
    """Where each grid cell lies along the 3-D Hilbert curve.

    The transform is Skilling's ("Programming the Hilbert curve", AIP Conf. Proc. 707, 2004), over all rows
    at once.

    Returns:
        ``[N]`` keys in 0 .. 2**(3 * bits) - 1; cells with consecutive keys share a face.
    """
    axes = [grid[:, axis].astype(np.uint32) for axis in range(3)]
    for level in range(bits - 1, 0, -1):
        bit, below = np.uint32(1 << level), np.uint32((1 << level) - 1)
        for axis in range(3):
            inverted = (axes[axis] & bit) != 0
            exchanged = np.where(inverted, 0, (axes[0] ^ axes[axis]) & below).astype(np.uint32)
            axes[0] ^= np.where(inverted, below, exchanged)
            axes[axis] ^= exchanged
    axes[1] ^= axes[0]
    axes[2] ^= axes[1]
    flip = np.zeros_like(axes[2])
    for level in range(bits - 1, 0, -1):
        flip ^= np.where(axes[2] & np.uint32(1 << level), np.uint32((1 << level) - 1), np.uint32(0))
    keys = np.zeros(len(grid), np.uint64)
    for level in range(bits - 1, -1, -1):
        for axis in range(3):
            keys = (keys << np.uint64(1)) | (((axes[axis] ^ flip) >> np.uint32(level)) & np.uint32(1))
    return keys


def hilbert_order(
    grid: NDArray[np.integer],  # [N, 3] in 0 .. 65535
) -> NDArray[np.intp]:
    """The row numbers of ``grid`` in the order of the Hilbert curve, ``[N]``."""
    return np.argsort(hilbert_keys(grid), kind="stable")
