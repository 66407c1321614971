"""Gaussians as the integers that SOG v2 stores, and back.

Values are rounded to the nearest code (truncation, common among encoders, costs 5 to 8 dB on rotations). A
shift of k drops the k lowest bits of an attribute and keeps the middle of the cell, so a reader needs to
know nothing about it. Everything here is elementwise over rows: the order is the caller's, and colour bands
beyond the first are palette.py's.

The format's definition: https://developer.playcanvas.com/user-manual/gaussian-splatting/formats/sog/
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from splatworks_common.splats import Splats
from splatworks_compressor import codebook, rotation
from splatworks_compressor.config import Shifts
from splatworks_compressor.palette import Palette

POSITION_TOP = 65535
BYTE_TOP = 255
TAG_W_LARGEST = 252
"""Alpha of a quaternion texel: 252 plus the number of the component that is left out (0 is w)."""

INVISIBLE_BELOW = 1 / 255
"""Every 3DGS renderer skips fragments of less opacity than this."""

MAX_LOGIT = float(np.log((1 - 1e-6) / 1e-6))
"""Opacities are clipped to this logit, 1e-6 short of 0 and 1, so that they stay finite both ways."""

MAX_MEAN = 1e18
"""Farther away, squared distances do not fit into float32."""

MAX_LOG_SCALE = 44.0
"""Of larger Gaussians the variance does not fit into float32."""

MIN_LOG_SCALE = -30.0
"""Smaller standard deviations are raised to this: a point in any scene, and the codebook is spared."""

MAX_COEFFICIENT = 1e6
"""Colours lie in 0..1; nothing that was trained comes near."""

SCALE_PERCENTILES = (0.02, 100.0)
"""Range of the scale codebook: vanishing scales may grow a little, large ones are never cut."""

COLOUR_PERCENTILES = (0.01, 99.99)
"""Range of the colour codebook, where one outlier must not coarsen all others."""


@dataclass(frozen=True)
class QuantizedSplats:
    """N Gaussians as SOG v2 stores them, before they become images.

    Attributes:
        mins, maxs: Range of the log-transformed means, ``[3]`` each.
        means: Grid positions in 0 .. 65535, ``[N, 3]``.
        quats: x, y, z of the rotation (or three other components) in 0 .. 255, and the tag, ``[N, 4]``.
        scales: Indices into ``scale_codebook``, ``[N, 3]``.
        colours: Indices of red, green, blue into ``colour_codebook``, and the opacity in 0 .. 255,
            ``[N, 4]``.
        scale_codebook: Log scales, at most 256.
        colour_codebook: Band 0 coefficients, at most 256.
        palette: The higher bands; None for SH degree 0.
    """

    mins: NDArray[np.float64]
    maxs: NDArray[np.float64]
    means: NDArray[np.uint16]
    quats: NDArray[np.uint8]
    scales: NDArray[np.uint8]
    colours: NDArray[np.uint8]
    scale_codebook: NDArray[np.float32]
    colour_codebook: NDArray[np.float32]
    palette: Palette | None

    def __len__(self) -> int:
        return len(self.means)


def drawable(splats: Splats) -> tuple[Splats, NDArray[np.bool_]]:
    """Finds the Gaussians that a renderer draws.

    Returns:
        All Gaussians, opacities clipped to +-MAX_LOGIT and log scales to at least MIN_LOG_SCALE; and a mask
        ``[N]`` that is False where a value is not finite or too large for a renderer's float32, where the
        quaternion has no length, or where the opacity is below 1/255.
    """
    clipped = replace(
        splats,
        log_scales=np.maximum(splats.log_scales, MIN_LOG_SCALE),
        opacities=np.clip(splats.opacities, -MAX_LOGIT, MAX_LOGIT),
    )
    keep = sigmoid(clipped.opacities) >= INVISIBLE_BELOW
    keep &= (np.abs(splats.means) <= MAX_MEAN).all(axis=1)
    keep &= ((splats.log_scales <= MAX_LOG_SCALE) & np.isfinite(splats.log_scales)).all(axis=1)
    keep &= (np.abs(splats.sh0) <= MAX_COEFFICIENT).all(axis=1)
    keep &= (np.abs(splats.shN) <= MAX_COEFFICIENT).all(axis=(1, 2))
    lengths = np.square(splats.quats, dtype=np.float64).sum(axis=1)
    keep &= np.isfinite(lengths) & (lengths > 0)
    return clipped, keep


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)) for logits within +-MAX_LOGIT, NaN kept."""
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def to_log(means: NDArray[np.floating]) -> NDArray[np.float64]:
    """SOG's compression of distances: sign(x) ln(1 + |x|), fine near the origin and coarse far away."""
    return np.asarray(np.sign(means) * np.log1p(np.abs(means.astype(np.float64))))


def from_log(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """The inverse of ``to_log``."""
    return np.asarray(np.sign(values) * np.expm1(np.abs(values)))


def position_grid(
    means: NDArray[np.float32],  # [N, 3], N >= 1
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where the means lie on the 16-bit log grid.

    Returns:
        mins ``[3]``, maxs ``[3]`` in log space, and the unrounded grid positions ``[N, 3]`` in 0 .. 65535.
    """
    logs = to_log(means)
    mins, maxs = logs.min(axis=0), logs.max(axis=0)
    extent = np.where(maxs > mins, maxs - mins, 1.0)
    return mins, maxs, (logs - mins) / extent * POSITION_TOP


def coarsened(values: NDArray[np.floating], shift: int, top: int) -> NDArray[np.int64]:
    """``values`` in 0 .. top without their ``shift`` low bits: nearest integer, or the middle of the cell."""
    inside = np.clip(values, 0, top)
    if shift == 0:
        return np.asarray(np.rint(inside), np.int64)
    step = 1 << shift
    return np.asarray((inside // step) * step + step // 2, np.int64).clip(0, top)


def position_shift(
    splats: Splats,
    wanted: int,
    *,
    tolerance: float,
) -> int:
    """The largest shift up to ``wanted`` whose position error stays well below the size of the Gaussians.

    The step of a log grid grows with the distance from the origin and with the extent of the whole scene,
    so a small object is fine with 15 bits where an unbounded scene needs all 16. Compared are, Gaussian by
    Gaussian, the grid's step there and the middle one of its three standard deviations; of these ratios the
    median counts.

    Args:
        splats: At least one Gaussian.
        wanted: The shift to start from.
        tolerance: How many standard deviations one grid step may be.
    """
    mins, maxs, _ = position_grid(splats.means)
    steps = (1 + np.abs(splats.means.astype(np.float64))) * (maxs - mins) / POSITION_TOP
    sigmas = np.exp(np.median(splats.log_scales, axis=1).astype(np.float64))
    ratio = float(np.median(steps.max(axis=1) / sigmas))
    shift = wanted
    while shift > 0 and ratio * (1 << shift) > tolerance:
        shift -= 1
    return shift


def quantize(splats: Splats, shifts: Shifts, palette: Palette | None) -> QuantizedSplats:
    """Rounds drawable Gaussians to codes.

    Args:
        splats: At least one Gaussian, all finite.
        shifts: The low bits to give up.
        palette: The higher bands of the same rows; None leaves them out.
    """
    mins, maxs, grid = position_grid(splats.means)
    quats, log_scales = rotation.canonicalise(splats.quats, splats.log_scales)
    scale_codebook = codebook.uniform(log_scales, codebook.ENTRIES >> shifts.scales, SCALE_PERCENTILES)
    colour_codebook = codebook.uniform(splats.sh0, codebook.ENTRIES >> shifts.colours, COLOUR_PERCENTILES)
    xyz = coarsened((quats[:, 1:] / np.sqrt(2) + 0.5) * BYTE_TOP, shifts.rotations, BYTE_TOP)
    alpha = coarsened(sigmoid(splats.opacities) * BYTE_TOP, shifts.opacities, BYTE_TOP)
    rgb = codebook.nearest(colour_codebook, splats.sh0)
    tag = np.full((len(splats), 1), TAG_W_LARGEST)
    return QuantizedSplats(
        mins=mins,
        maxs=maxs,
        means=coarsened(grid, shifts.positions, POSITION_TOP).astype(np.uint16),
        quats=np.concatenate([xyz, tag], axis=1).astype(np.uint8),
        scales=codebook.nearest(scale_codebook, log_scales),
        colours=np.concatenate([rgb, alpha[:, None]], axis=1).astype(np.uint8),
        scale_codebook=scale_codebook,
        colour_codebook=colour_codebook,
        palette=palette,
    )


def dequantize(codes: QuantizedSplats) -> Splats:
    """The Gaussians that a reader sees."""
    logs = codes.mins + (codes.maxs - codes.mins) * (codes.means / POSITION_TOP)
    three = (codes.quats[:, :3] / BYTE_TOP - 0.5) * np.sqrt(2)
    largest = np.sqrt(np.maximum(0.0, 1 - np.square(three).sum(axis=1)))
    left_out = codes.quats[:, 3:] - np.uint8(TAG_W_LARGEST)  # [N, 1]
    component = np.arange(4)
    source = component - (component > left_out)  # where each component stands among the three, [N, 4]
    quats = np.take_along_axis(three, np.minimum(source, 2), axis=1)
    np.put_along_axis(quats, left_out.astype(np.intp), largest[:, None], axis=1)
    alpha = codes.colours[:, 3] / BYTE_TOP
    with np.errstate(divide="ignore"):
        logits = np.clip(np.log(alpha) - np.log1p(-alpha), -MAX_LOGIT, MAX_LOGIT)
    shN = np.zeros((len(codes), 0, 3), np.float32)
    if codes.palette is not None:
        shN = codes.palette.decoded()
    return Splats(
        means=from_log(logs).astype(np.float32),
        log_scales=codes.scale_codebook[codes.scales],
        quats=quats.astype(np.float32),
        opacities=logits.astype(np.float32),
        sh0=codes.colour_codebook[codes.colours[:, :3]],
        shN=shN,
    )
