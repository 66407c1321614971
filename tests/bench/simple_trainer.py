"""gsplat's own recipe, the default of its ``simple_trainer.py`` 1.5.3: what the gsplat engine is measured by.

Its strategy is gsplat's ``DefaultStrategy`` itself, and every number is its default: 30,000 steps of one
whole photo, SH degree 3 with one more band every 1,000 steps, opacity 0.1, 0.8 L1 + 0.2 (1 - SSIM), Adam with
the rates below, the means' falling to a hundredth. ``scaled`` shortens it as its ``steps_scaler`` does.

Two things are easier here than there: photos lie in the GPU's memory from the start, and nothing is logged,
drawn or saved. Two are the trainer's own and make no difference of note: SSIM counts the border of a photo
(there it leaves five pixels out), and the frame is that of the model, not a normalised one. Gaussians are
round at first, so how they are turned is of no account.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from gsplat import DefaultStrategy, rasterization
from numpy.typing import NDArray
from torch import Tensor

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats
from splatworks_trainer.engines.gsplat.kernels import gsplat_kernels

_RATES = {
    "means": 1.6e-4,  # times the scale of the scene
    "scales": 5e-3,
    "quats": 1e-3,
    "opacities": 5e-2,
    "sh0": 2.5e-3,
    "shN": 2.5e-3 / 20,
}


@dataclass(frozen=True)
class Shot:
    """A photo in the GPU's memory, ``[H, W, 3]`` in 0..1, and its camera."""

    camera: Camera
    photo: Tensor

    @staticmethod
    def of(camera: Camera, photo: NDArray[np.uint8]) -> Shot:
        return Shot(camera, torch.from_numpy(photo.copy()).cuda().float() / 255)


@dataclass(frozen=True)
class Outcome:
    """How good it got and what that took."""

    psnr: float
    seconds: float
    gaussians: int


def simple_trainer(
    initial: Splats,
    training: Sequence[Shot],
    held_out: Sequence[Shot],
    *,
    scene_scale: float,
    scaled: float = 1.0,
    seed: int = 42,
) -> Outcome:
    """Trains by the recipe. The seconds are those of its steps alone, without evaluation.

    Args:
        initial: One Gaussian a point of the sparse model, of SH degree 3, as the recipe makes them.
        training: What to train on.
        held_out: What to measure.
        scene_scale: 1.1 times the largest distance of a camera from the mean camera.
        scaled: Factor on all numbers of steps.
        seed: Of the order of photos and of what the strategy draws.
    """
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    similarity = gsplat_kernels().ssim
    steps, sh_interval = round(30_000 * scaled), round(1000 * scaled)
    parameters = _parameters(initial)
    rates = {**_RATES, "means": _RATES["means"] * scene_scale}
    optimizers = {
        name: torch.optim.Adam([values], lr=rates[name], eps=1e-15, betas=(0.9, 0.999), fused=True)
        for name, values in parameters.items()
    }
    falling = torch.optim.lr_scheduler.ExponentialLR(optimizers["means"], gamma=0.01 ** (1 / steps))
    defaults = DefaultStrategy()
    strategy = DefaultStrategy(
        refine_start_iter=round(defaults.refine_start_iter * scaled),
        refine_stop_iter=round(defaults.refine_stop_iter * scaled),
        refine_every=round(defaults.refine_every * scaled),
        reset_every=round(defaults.reset_every * scaled),
    )
    state = strategy.initialize_state(scene_scale=scene_scale)

    torch.cuda.synchronize()
    began = time.perf_counter()
    to_come: list[int] = []
    for step in range(steps):
        if not to_come:
            to_come = [int(index) for index in order.permutation(len(training))]
        shot = training[to_come.pop()]
        picture, info = _draw(parameters, shot.camera, min(step // sh_interval, 3))
        strategy.step_pre_backward(parameters, optimizers, state, step, info)
        difference = (picture - shot.photo).abs().mean()
        loss = 0.8 * difference + 0.2 * (1 - similarity(picture, shot.photo))
        loss.backward()
        for optimizer in optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        falling.step()
        strategy.step_post_backward(parameters, optimizers, state, step, info, packed=False)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - began

    with torch.no_grad():
        figures = [_psnr(_draw(parameters, shot.camera, 3)[0], shot.photo) for shot in held_out]
    return Outcome(float(np.mean(figures)), seconds, len(parameters["means"]))


def _parameters(splats: Splats) -> torch.nn.ParameterDict:
    columns = {
        "means": splats.means,
        "scales": splats.log_scales,
        "quats": splats.quats,
        "opacities": splats.opacities,
        "sh0": splats.sh0[:, None],
        "shN": splats.shN,
    }
    return torch.nn.ParameterDict(
        {name: torch.nn.Parameter(torch.from_numpy(values.copy()).cuda()) for name, values in columns.items()}
    )


def _draw(
    parameters: torch.nn.ParameterDict, camera: Camera, sh_degree: int
) -> tuple[Tensor, dict[str, Tensor]]:
    intrinsics = [[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]]
    pictures, _, info = rasterization(
        parameters["means"],
        parameters["quats"],
        parameters["scales"].exp(),
        parameters["opacities"].sigmoid(),
        torch.cat([parameters["sh0"], parameters["shN"]], dim=1),
        torch.tensor(camera.viewmat, dtype=torch.float32, device="cuda")[None],
        torch.tensor(intrinsics, dtype=torch.float32, device="cuda")[None],
        camera.width,
        camera.height,
        sh_degree=sh_degree,
        packed=False,
    )
    return pictures[0], info


def _psnr(picture: Tensor, photo: Tensor) -> float:
    return -10 * float(torch.log10((picture.clamp(0, 1) - photo).square().mean()))
