"""The random moves by which 3DGS-MCMC explores (Kheradmand et al. 2024, equation 8)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from splatworks_trainer.engines.gsplat.drawing import Gaussians

_GATE_STEEPNESS, _GATE_OPACITY = 100.0, 0.005


def moves(gaussians: Gaussians, seed: int) -> Tensor:
    """For each Gaussian a random vector ``[N, 3]``: long where it is long, and none unless it is faint.

    It is Sigma xi sigmoid(-100 (opacity - 0.005)), with Sigma the covariance and xi standard normal. The same
    seed gives the same numbers on the same kind of device, others than the native engine's.
    """
    with torch.no_grad():
        means = gaussians["means"]
        generator = torch.Generator(means.device).manual_seed(seed)
        noise = torch.randn(means.shape, generator=generator, device=means.device)
        rotations = rotation_matrices(gaussians["quats"])
        along = torch.einsum("nij,ni->nj", rotations, noise) * (2 * gaussians["log_scales"]).exp()
        gate = (-_GATE_STEEPNESS * (gaussians["opacities"].sigmoid() - _GATE_OPACITY)).sigmoid()
        return torch.einsum("nij,nj->ni", rotations, along) * gate[:, None]


def rotation_matrices(quats: Tensor) -> Tensor:
    """Rotation matrices ``[N, 3, 3]``, local axes to world, of quaternions wxyz ``[N, 4]`` of any length."""
    w, x, y, z = functional.normalize(quats, dim=1).unbind(dim=1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
