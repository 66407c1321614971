"""gsplat's two functions again, slow and plain, in torch: they run on a CPU and autograd does the rest.

Gaussians are blended one by one over the whole image. Of the two conventions in which gsplat 1.5.3 and the
native kernels differ, how far alpha goes and whether a pixel stops before or after the Gaussian that finishes
it, either can be had; everything else is said by `splatworks_rasterizer.model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from splatworks_trainer.engines.gsplat.exploration import rotation_matrices

_ALPHA_MIN, _STOP = 1 / 255, 1e-4


@dataclass(frozen=True)
class TorchRasterizer:
    """``rasterization`` and ``spherical_harmonics`` of gsplat 1.5."""

    alpha_max: float
    stops_before: bool

    def rasterization(
        self,
        means: Tensor,
        quats: Tensor,
        scales: Tensor,
        opacities: Tensor,
        colors: Tensor,
        viewmats: Tensor,
        Ks: Tensor,  # noqa: N803
        width: int,
        height: int,
        near_plane: float,
        far_plane: float,
        eps2d: float,
        packed: bool,
        absgrad: bool,
        rasterize_mode: str,
    ) -> tuple[Tensor, Tensor, dict[str, Any]]:
        world, (fx, cx), (fy, cy) = viewmats[0], Ks[0, 0, ::2], Ks[0, 1, 1:]
        local = means @ world[:3, :3].T + world[:3, 3]
        depths = local[:, 2]
        z = depths.clamp_min(near_plane)
        slope_x, slope_y = local[:, 0] / z, local[:, 1] / z
        clamped_x = slope_x.clamp(-(cx + 0.15 * width) / fx, (1.15 * width - cx) / fx)
        clamped_y = slope_y.clamp(-(cy + 0.15 * height) / fy, (1.15 * height - cy) / fy)
        zero = torch.zeros_like(z)
        jacobians = torch.stack(
            [
                torch.stack([fx / z, zero, -fx * clamped_x / z], dim=1),
                torch.stack([zero, fy / z, -fy * clamped_y / z], dim=1),
            ],
            dim=1,
        )
        axes = jacobians @ world[:3, :3] @ rotation_matrices(quats) * scales[:, None]
        flat = axes @ axes.mT
        covariances = flat + eps2d * torch.eye(2)
        if rasterize_mode == "antialiased":
            opacities = opacities * (flat.det().clamp_min(0) / covariances.det()).sqrt()
        all_means2d = torch.stack([fx * slope_x + cx, fy * slope_y + cy], dim=1)

        with torch.no_grad():
            reach = (2 * (opacities / _ALPHA_MIN).log()).clamp_min(0).sqrt()
            radii = (reach[:, None] * covariances.diagonal(dim1=1, dim2=2).sqrt()).ceil()
            size = torch.tensor([width, height])
            drawn = (near_plane <= depths) & (depths <= far_plane) & (opacities >= _ALPHA_MIN)
            drawn &= ((all_means2d + radii > 0) & (all_means2d - radii < size)).all(dim=1)
            ids = drawn.nonzero()[:, 0]
        means2d = all_means2d[ids] if packed else all_means2d[None]

        # Each pixel gets the mean as a value of its own, so that its own gradient can be looked at.
        rows = means2d if packed else means2d[0, ids]
        of_pixels = rows[:, None, None].expand(-1, height, width, 2)
        if absgrad and of_pixels.requires_grad:

            def keep(gradient: Tensor) -> None:
                total = gradient.abs().sum(dim=(1, 2))
                means2d.absgrad = (
                    total if packed else torch.zeros(1, len(means), 2).index_copy(1, ids, total[None])
                )

            of_pixels.register_hook(keep)

        inverses = covariances[ids].inverse()
        ys, xs = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        offsets = torch.stack([xs, ys], dim=2) - of_pixels
        falloff = (-0.5 * torch.einsum("nhwi,nij,nhwj->nhw", offsets, inverses, offsets)).exp()
        raw = opacities[ids, None, None] * falloff
        transmittance, going = torch.ones(height, width), torch.ones(height, width, dtype=torch.bool)
        image = (
            torch.zeros(height, width, colors.shape[1]) + 0 * of_pixels.sum()
        )  # has a gradient in any case
        for i in depths[ids].argsort(stable=True).tolist():
            alpha = torch.where(raw[i] >= _ALPHA_MIN, raw[i].clamp_max(self.alpha_max), 0)
            if self.stops_before:
                going = going & (transmittance * (1 - alpha) > _STOP)
            else:
                going = going & (transmittance >= _STOP)
            alpha = torch.where(going, alpha, 0)
            image = image + (alpha * transmittance)[..., None] * colors[ids[i]]
            transmittance = transmittance * (1 - alpha)

        shown = radii.int() * drawn[:, None]
        meta = {"means2d": means2d, "radii": shown[ids] if packed else shown[None]}
        if packed:
            meta["gaussian_ids"] = ids
        return image[None], (1 - transmittance)[None, ..., None], meta

    def spherical_harmonics(self, degree: int, dirs: Tensor, coeffs: Tensor, masks: Tensor) -> Tensor:
        x, y, z = torch.nn.functional.normalize(dirs, dim=1).unbind(dim=1)
        pi = torch.pi
        basis = [torch.full_like(x, 1 / (4 * pi)).sqrt()]
        if degree >= 1:
            c = (3 / (4 * pi)) ** 0.5
            basis += [-c * y, c * z, -c * x]
        if degree >= 2:
            c = (15 / (4 * pi)) ** 0.5
            basis += [
                c * x * y,
                -c * y * z,
                c / 12**0.5 * (3 * z * z - 1),
                -c * x * z,
                c / 2 * (x * x - y * y),
            ]
        if degree >= 3:
            c, d, e = (35 / (32 * pi)) ** 0.5, (105 / (4 * pi)) ** 0.5, (21 / (32 * pi)) ** 0.5
            basis += [
                -c * y * (3 * x * x - y * y),
                d * x * y * z,
                -e * y * (5 * z * z - 1),
                (7 / (16 * pi)) ** 0.5 * z * (5 * z * z - 3),
                -e * x * (5 * z * z - 1),
                d / 2 * z * (x * x - y * y),
                -c * x * (x * x - 3 * y * y),
            ]
        colours = torch.einsum("kn,nkc->nc", torch.stack(basis), coeffs[:, : len(basis)])
        return torch.where(masks[:, None], colours, torch.nan)  # where it does not count, it may be anything
