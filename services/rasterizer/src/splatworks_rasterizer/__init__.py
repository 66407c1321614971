"""Differentiable 3D Gaussian rasterizer and optimizer for CPUs.

C++ kernels (``src/kernels``) on numpy arrays; no torch, no GPU. `GaussianModel` holds Gaussians with their
Adam state, renders views of them and takes training steps; `render` draws one picture; `metrics` compares
pictures. The same inputs give the same bits for any number of threads.
"""

from splatworks_rasterizer.metrics import psnr, ssim
from splatworks_rasterizer.model import GaussianModel, Objective, Rates, Statistics, StepResult, render
from splatworks_rasterizer.native import ISA
from splatworks_rasterizer.plane_sweep import Sweep, plane_sweep

__all__ = [
    "ISA",
    "GaussianModel",
    "Objective",
    "Rates",
    "Statistics",
    "StepResult",
    "Sweep",
    "plane_sweep",
    "psnr",
    "render",
    "ssim",
]
