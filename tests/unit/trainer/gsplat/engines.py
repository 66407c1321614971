"""A gsplat engine on the CPU and a native one of the same Gaussians, and what a step did to each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from splatworks_common.splats import Splats
from splatworks_rasterizer import GaussianModel
from splatworks_trainer.engine import Objective, Rates
from splatworks_trainer.engines.gsplat import GsplatEngine, GsplatOptions
from splatworks_trainer.engines.gsplat.kernels import Kernels
from splatworks_trainer.engines.gsplat.loss import ssim
from tests.unit.trainer.gsplat.torch_rasterizer import TorchRasterizer

torch.set_num_threads(1)  # what is drawn here is small

RATES = Rates(means=1e-3, log_scales=5e-3, quats=2e-3, opacities=5e-2, sh0=2.5e-3, shN=1e-4)
OBJECTIVE = Objective(sh_degree=3, ssim_weight=0.2)
GROUPS = {
    "means": slice(0, 3),
    "log_scales": slice(3, 6),
    "quats": slice(6, 10),
    "opacities": slice(10, 11),
    "sh0": slice(11, 14),
    "shN": slice(14, 59),
}
"""Where the groups are among the 59 numbers of a Gaussian."""


def torch_kernels(*, alpha_max: float = 0.99, stops_before: bool = False) -> Kernels:
    """Slow kernels with the native ones' conventions, or with others."""
    slow = TorchRasterizer(alpha_max, stops_before)
    return Kernels(slow.rasterization, slow.spherical_harmonics, ssim)


def gsplat_engine(
    splats: Splats,
    *,
    capacity: int = 1000,
    antialiased: bool = False,
    kernels: Kernels | None = None,
    **options: Any,
) -> GsplatEngine:
    """An engine on the CPU; options that are not named are those of ``GsplatOptions``."""
    return GsplatEngine(
        splats,
        capacity=capacity,
        threads=1,
        antialiased=antialiased,
        options=GsplatOptions(**options),
        device="cpu",
        kernels=kernels or torch_kernels(),
    )


def native_model(splats: Splats, *, antialiased: bool = False) -> GaussianModel:
    return GaussianModel(splats, capacity=1000, threads=1, antialiased=antialiased)


def gradient_of(engine: GsplatEngine) -> NDArray[np.float32]:
    """``[N, 59]``, after the engine's first step: Adam's first moments are a tenth of it."""
    state = engine.state()
    columns = [state[f"first_{name.lower()}"].reshape(engine.count, -1) for name in GROUPS]
    gradient: NDArray[np.float32] = np.concatenate(columns, axis=1, dtype=np.float32) * np.float32(10)
    return gradient


def native_gradient_of(model: GaussianModel) -> NDArray[np.float32]:
    """The same of a native model, whose moments lie in blocks of 64 Gaussians."""
    first = np.asarray(model.state()["first"], np.float32)
    table = first.transpose(0, 2, 1).reshape(-1, 59)[: model.count]
    gradient: NDArray[np.float32] = table * np.float32(10)
    return gradient


def assert_same_gradients(ours: NDArray[np.float32], native: NDArray[np.float32], within: float) -> None:
    """Compares group by group, relative to the group's length."""
    for name, columns in GROUPS.items():
        error = np.linalg.norm(ours[:, columns] - native[:, columns])
        assert error <= within * np.linalg.norm(native[:, columns]), name
