"""How alike two pictures are. Pictures are ``[H, W, 3]`` float32 with colours in 0..1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from splatworks_rasterizer.native import kernels


def psnr(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Peak signal-to-noise ratio in dB, after clipping both pictures to 0..1; infinite for equal pictures.

    Example:
        >>> psnr(np.zeros((4, 4, 3), np.float32), np.full((4, 4, 3), 0.1, np.float32))  # doctest: +ELLIPSIS
        19.99...

    Raises:
        ValueError: The pictures differ in shape or have no pixels.
    """
    if a.shape != b.shape or a.size == 0:
        raise ValueError(f"pictures of shape {a.shape} and {b.shape} can not be compared")
    error = np.clip(a, 0, 1) - np.clip(b, 0, 1)
    mse = float(np.mean(np.square(error, out=error), dtype=np.float64))
    return math.inf if mse == 0 else -10 * math.log10(mse)


def ssim(a: NDArray[np.float32], b: NDArray[np.float32], threads: int = 1) -> float:
    """Mean structural similarity, 1 for equal pictures.

    Gaussian window of 11 pixels, sigma 1.5, zeros beyond the border, mean over pixels and channels: the
    figure that 3D Gaussian splatting papers give (Wang et al., "Image Quality Assessment", 2004).

    Raises:
        ValueError: The pictures differ in shape, are not ``[H, W, 3]`` with H, W > 0, or ``threads`` < 1.
    """
    if a.shape != b.shape or a.ndim != 3 or a.shape[2] != 3 or a.size == 0:
        raise ValueError(
            f"pictures of shape {a.shape} and {b.shape}: both must be [H, W, 3] and of the same size"
        )
    if threads < 1:
        raise ValueError(f"threads is {threads}; at least 1 is needed")
    return kernels.ssim(np.ascontiguousarray(a, np.float32), np.ascontiguousarray(b, np.float32), threads)
