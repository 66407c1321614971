"""One picture of the Gaussians, by gsplat in the image formation that all of Splatworks shares.

Gaussians are a mapping from the names of ``Splats``' columns to tensors of the same shapes, as trained: log
scales, logit opacities, unnormalised quaternions wxyz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from splatworks_common.cameras import Camera
from splatworks_common.splats import SH_REST_BY_DEGREE
from splatworks_trainer.engines.gsplat.kernels import Kernels

Gaussians: TypeAlias = Mapping[str, Tensor]

NEAR, FAR = 0.01, 1e10
"""Depths between which a Gaussian is drawn, world units."""

LOW_PASS = 0.3
"""Added to the covariance on the image, square pixels."""


@dataclass(frozen=True)
class GsplatOptions:
    """What can be chosen about how gsplat draws.

    Attributes:
        absgrad: Whether ``grad2d`` adds up the absolute gradients of single pixels, so that those of opposite
            sides do not cancel (AbsGS, Ye et al. 2024). It is then several times as large:
            ``grow_gradient`` wants 6e-4 to 8e-4 in place of 2e-4.
        packed_from: From how many Gaussians on what lies between projection and rasterization is kept for
            those in view alone. That costs time where most are in view and saves about 200 bytes for each
            that is not, so it pays in large scenes, of which a photo shows a part. The default is an
            estimate, not a measurement.
    """

    absgrad: bool = False
    packed_from: int = 2_000_000


@dataclass(frozen=True)
class Drawing:
    """A picture and what is known about the Gaussians in it.

    Attributes:
        image: ``[H, W, C]``.
        packed: Whether ``meta`` has rows for the Gaussians in view alone.
        meta: As gsplat gives it: ``means2d``, ``radii`` and, if packed, ``gaussian_ids``.
    """

    image: Tensor
    packed: bool
    meta: Mapping[str, Any]


def draw(
    kernels: Kernels,
    gaussians: Gaussians,
    colours: Tensor,
    camera: Camera,
    background: tuple[float, ...],
    *,
    antialiased: bool,
    options: GsplatOptions,
) -> Drawing:
    """Draws at least one Gaussian in ``colours``, ``[N, C]``, over a ``background`` of C channels."""
    device = colours.device
    packed = len(colours) >= options.packed_from
    intrinsics = [[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]]
    image, alpha, meta = kernels.rasterization(
        means=gaussians["means"],
        quats=gaussians["quats"],
        scales=gaussians["log_scales"].exp(),
        opacities=gaussians["opacities"].sigmoid(),
        colors=colours,
        viewmats=torch.tensor(camera.viewmat, dtype=torch.float32, device=device)[None],
        Ks=torch.tensor(intrinsics, dtype=torch.float32, device=device)[None],
        width=camera.width,
        height=camera.height,
        near_plane=NEAR,
        far_plane=FAR,
        eps2d=LOW_PASS,
        packed=packed,
        absgrad=options.absgrad,
        rasterize_mode="antialiased" if antialiased else "classic",
    )
    # By hand, since gsplat 1.5.3 takes no backgrounds together with `packed`.
    if any(background):
        image = image + (1 - alpha) * torch.tensor(background, dtype=torch.float32, device=device)
    return Drawing(image[0], packed, meta)


def seen_colours(kernels: Kernels, gaussians: Gaussians, camera: Camera, sh_degree: int) -> Tensor:
    """The colour ``[N, 3]`` of each Gaussian as the camera sees it; of those behind it, anything.

    The gradient does not flow through the direction in which a colour is seen, as in the native engine;
    gsplat would let it, so colours are made here and not inside its rasterization.
    """
    coefficients = gaussians["sh0"][:, None]
    if sh_degree > 0:
        rest = gaussians["shN"][:, : SH_REST_BY_DEGREE[sh_degree]]
        coefficients = torch.cat([coefficients, rest], dim=1)
    means = gaussians["means"].detach()
    position = torch.tensor(camera.position, dtype=torch.float32, device=means.device)
    forward = torch.tensor(camera.viewmat[2, :3], dtype=torch.float32, device=means.device)
    directions = means - position
    ahead = directions @ forward > 0
    return (kernels.spherical_harmonics(sh_degree, directions, coefficients, ahead) + 0.5).clamp_min(0)
