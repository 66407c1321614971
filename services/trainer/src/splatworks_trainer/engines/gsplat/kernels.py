"""What the engine takes from others, as one value: tests hand in slow ones that run on a CPU.

``gsplat_kernels`` is the only place that imports gsplat and fused-ssim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from splatworks_trainer.engines.gsplat.loss import ssim

Rasterization: TypeAlias = Callable[..., tuple[Tensor, Tensor, dict[str, Any]]]
SphericalHarmonics: TypeAlias = Callable[[int, Tensor, Tensor, Tensor], Tensor]
Ssim: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Kernels:
    """The functions that do the work.

    Attributes:
        rasterization: As ``gsplat.rasterization`` of 1.5, called with colours, not with coefficients.
        spherical_harmonics: As ``gsplat.spherical_harmonics``: degree, directions ``[N, 3]`` (any length),
            coefficients ``[N, K, 3]``, which of them count ``[N]`` bool; gives ``[N, 3]``.
        ssim: Mean structural similarity of render and photo, ``[H, W, 3]`` each, differentiable in the
            render.
    """

    rasterization: Rasterization
    spherical_harmonics: SphericalHarmonics
    ssim: Ssim


def gsplat_kernels() -> Kernels:
    """Those of gsplat, and fused-ssim's where it is installed.

    Raises:
        ImportError: gsplat is not installed.
    """
    import gsplat

    return Kernels(gsplat.rasterization, gsplat.spherical_harmonics, _fused_ssim() or ssim)


def _fused_ssim() -> Ssim | None:
    """One CUDA kernel in place of ``loss.ssim``, with the same window and borders, where it is installed."""
    try:
        from fused_ssim import fused_ssim
    except ImportError:
        return None

    def similarity(render: Tensor, photo: Tensor) -> Tensor:
        batches = (image.permute(2, 0, 1)[None].contiguous() for image in (render, photo))
        return fused_ssim(*batches, padding="same")

    return similarity
