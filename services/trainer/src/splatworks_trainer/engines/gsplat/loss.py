"""The training loss on tensors: the same figures as the native kernels' ``loss.cpp``.

Images are ``[H, W, 3]`` float32, colours in 0..1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_RADIUS, _SIGMA = 5, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def ssim(render: Tensor, photo: Tensor) -> Tensor:
    """Mean structural similarity (Wang et al., "Image Quality Assessment", 2004).

    Gaussian window of 11 pixels, sigma 1.5, zeros beyond the border, mean over pixels and channels.

    Returns:
        A number as a tensor, differentiable in both images.
    """
    x, y = (image.permute(2, 0, 1) for image in (render, photo))
    # Four filtered maps suffice: the two variances occur only as their sum.
    mean_x, mean_y, squares, products = _filtered(torch.cat([x, y, x * x + y * y, x * y])).chunk(4)
    means, product = mean_x * mean_x + mean_y * mean_y, mean_x * mean_y
    luminance = (2 * product + _C1) / (means + _C1)
    structure = (2 * (products - product) + _C2) / (squares - means + _C2)
    return (luminance * structure).mean()


def image_loss(render: Tensor, photo: Tensor, similarity: Tensor | None, ssim_weight: float) -> Tensor:
    """``(1 - ssim_weight) * L1 + ssim_weight * (1 - SSIM)``; without a similarity the first part alone."""
    loss = (1 - ssim_weight) * (render - photo).abs().mean()
    return loss if similarity is None else loss + ssim_weight * (1 - similarity)


def mean_squared_error(render: Tensor, photo: Tensor, mask: Tensor | None) -> Tensor:
    """Over the pixels that count, ``mask [H, W]`` bool or all; the render clipped to 0..1. None count: 0."""
    squares = (render.detach().clamp(0, 1) - photo).square().mean(dim=2)
    if mask is None:
        return squares.mean()
    return squares[mask].sum() / mask.sum().clamp_min(1)


def _filtered(maps: Tensor) -> Tensor:
    """``[M, H, W]`` maps under the window, which is separable."""
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, device=maps.device, dtype=maps.dtype)
    window = torch.exp(-offsets.square() / (2 * _SIGMA**2))
    taps = (window / window.sum()).expand(len(maps), 1, 1, -1)
    along = functional.conv2d(maps[None], taps, padding=(0, _RADIUS), groups=len(maps))
    return functional.conv2d(along, taps.mT, padding=(_RADIUS, 0), groups=len(maps))[0]
