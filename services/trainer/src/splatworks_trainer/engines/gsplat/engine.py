"""The engine itself: ``Engine`` of ``splatworks_trainer.engine`` in terms of the modules beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from splatworks_common.cameras import Camera
from splatworks_common.reasons import OutOfMemory
from splatworks_common.splats import Splats
from splatworks_trainer.engine import Edit, EngineState, Objective, Rates, Statistics, StepResult
from splatworks_trainer.engines.gsplat import exploration
from splatworks_trainer.engines.gsplat.drawing import Drawing, GsplatOptions, draw, seen_colours
from splatworks_trainer.engines.gsplat.kernels import Kernels, gsplat_kernels
from splatworks_trainer.engines.gsplat.loss import image_loss, mean_squared_error
from splatworks_trainer.engines.gsplat.parameters import Parameters, array
from splatworks_trainer.engines.gsplat.seen import Seen

_BLACK = (0.0, 0.0, 0.0)
_DEFAULT_OPTIONS = GsplatOptions()


class GsplatEngine:
    """An ``Engine`` on a GPU; made as ``EngineFactory`` says.

    Example:
        >>> engine = GsplatEngine(splats, capacity=1_000_000, threads=1)
        >>> picture = engine.render(camera)

    Args:
        splats: The Gaussians to start from.
        capacity: The most Gaussians there will ever be. Memory is used by those that are there.
        threads: Not used: the work is the GPU's.
        antialiased: Whether opacities are scaled as Mip-Splatting's 2D filter does (Yu et al. 2024).
        options: How gsplat draws.
        device: Where the tensors live. Only ``kernels`` ask for CUDA.
        kernels: What draws; gsplat's where none are given.

    Raises:
        ValueError: There are more splats than ``capacity``.
        OutOfMemory: They do not fit the GPU. So says every other method that needs memory there.
    """

    def __init__(
        self,
        splats: Splats,
        *,
        capacity: int,
        threads: int,
        antialiased: bool = False,
        options: GsplatOptions = _DEFAULT_OPTIONS,
        device: str = "cuda",
        kernels: Kernels | None = None,
    ) -> None:
        _check_fits(len(splats), capacity)
        self._capacity = capacity
        self._sh_degree = splats.sh_degree
        self._antialiased = antialiased
        self._options = options
        self._device = torch.device(device)
        self._kernels = kernels or gsplat_kernels()
        with _named_out_of_memory(f"{len(splats):,} Gaussians"):
            self._parameters = Parameters(splats, self._device)
            self._seen = Seen(len(splats), self._device)

    @property
    def count(self) -> int:
        """See ``Engine.count``."""
        return self._parameters.count

    def render(self, camera: Camera) -> NDArray[np.float32]:
        """See ``Engine.render``."""
        with self._named_view(camera), torch.no_grad():
            return array(self._draw(camera, self._sh_degree, _BLACK).image)

    def step(
        self,
        camera: Camera,
        photo: NDArray[np.uint8],
        rates: Rates,
        objective: Objective,
        *,
        mask: NDArray[np.uint8] | None = None,
        exposure: NDArray[np.float32] | None = None,
    ) -> StepResult:
        """See ``Engine.step``."""
        size = (camera.height, camera.width)
        _check_array("photo", photo, np.uint8, (*size, 3))
        if mask is not None:
            _check_array("mask", mask, np.uint8, size)
        if exposure is not None:
            _check_array("exposure", exposure, np.float32, (3, 4))
        if objective.sh_degree > self._sh_degree:
            raise ValueError(f"SH degree {objective.sh_degree} was asked of Gaussians of {self._sh_degree}")
        with self._named_view(camera):
            return self._step(camera, photo, rates, objective, mask, exposure)

    def _step(
        self,
        camera: Camera,
        photo: NDArray[np.uint8],
        rates: Rates,
        objective: Objective,
        mask: NDArray[np.uint8] | None,
        exposure: NDArray[np.float32] | None,
    ) -> StepResult:
        target = self._tensor(photo).float() / 255
        counts = None if mask is None else self._tensor(mask) != 0
        affine = None if exposure is None else self._tensor(exposure).requires_grad_()

        drawing = self._draw(camera, objective.sh_degree, objective.background)
        compared = drawing.image
        if affine is not None:
            compared = compared @ affine[:, :3].T + affine[:, 3]
        if counts is not None:
            compared = torch.where(counts[..., None], compared, target)
        similarity = self._kernels.ssim(compared, target) if objective.ssim_weight > 0 else None
        loss = image_loss(compared, target, similarity, objective.ssim_weight) + self._penalties(objective)

        finite = self._parameters.finite()
        if loss.requires_grad:
            if drawing.meta:
                drawing.meta["means2d"].retain_grad()
            loss.backward()
        if drawing.meta:
            self._seen.add(drawing, camera, absgrad=self._options.absgrad)
        self._parameters.descend(rates)

        mse = mean_squared_error(compared, target, counts)
        # A Gaussian with NaN in its mean is nowhere on the image, so the loss says what the pixels can not.
        loss = torch.where(finite, loss.detach(), math.nan)
        values = torch.stack([loss, mse]).tolist()  # waits for the GPU, once
        return StepResult(
            loss=values[0],
            mse=values[1],
            exposure_gradient=None if affine is None else array(affine.grad),
        )

    def blended(self, camera: Camera, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``Engine.blended``."""
        _check_array("values", values, np.float32, (camera.height, camera.width))
        if not self.count:
            return np.zeros(0, np.float32)
        with self._named_view(camera):
            # The picture is linear in the colours, with the blending weights as coefficients.
            colours = torch.zeros(self.count, 1, device=self._device, requires_grad=True)
            gaussians = {name: column.detach() for name, column in self._parameters.gaussians.items()}
            drawing = draw(
                self._kernels,
                gaussians,
                colours,
                camera,
                (0.0,),
                antialiased=self._antialiased,
                options=self._options,
            )
            weighted = (drawing.image[..., 0] * self._tensor(values)).sum()
            (sums,) = torch.autograd.grad(weighted, colours)
            return array(sums[:, 0])

    def perturb(self, length: float, seed: int) -> None:
        """See ``Engine.perturb``."""
        with self._named_memory(), torch.no_grad():
            gaussians = self._parameters.gaussians
            gaussians["means"] += length * exploration.moves(gaussians, seed)

    def statistics(self) -> Statistics:
        """See ``Engine.statistics``."""
        return self._seen.statistics()

    def apply(self, edit: Edit) -> None:
        """See ``Engine.apply``."""
        _check_array("keep", edit.keep, np.bool_, (self.count,))
        _check_fits(int(np.count_nonzero(edit.keep)) + len(edit.append), self._capacity)
        with self._named_memory():
            self._parameters.edit(edit)
            self._seen = Seen(self.count, self._device)

    def splats(self) -> Splats:
        """See ``Engine.splats``."""
        return self._parameters.splats()

    def state(self) -> EngineState:
        """See ``Engine.state``."""
        return {**self._parameters.state(), **self._seen.state()}

    def restore(self, state: EngineState) -> None:
        """See ``Engine.restore``."""
        with self._named_memory():
            seen = Seen.restored(state, len(state.get("views", ())), self._device)
            self._parameters.restore(state, self._capacity)
            self._seen = seen

    def _draw(self, camera: Camera, sh_degree: int, background: tuple[float, ...]) -> Drawing:
        gaussians = self._parameters.gaussians
        if not self.count:
            backdrop = torch.tensor(background, dtype=torch.float32, device=self._device)
            return Drawing(backdrop.expand(camera.height, camera.width, 3), False, {})
        return draw(
            self._kernels,
            gaussians,
            seen_colours(self._kernels, gaussians, camera, sh_degree),
            camera,
            background,
            antialiased=self._antialiased,
            options=self._options,
        )

    def _penalties(self, objective: Objective) -> Tensor:
        """What opacities and sizes cost by themselves, as in 3DGS-MCMC."""
        gaussians = self._parameters.gaussians
        cost = torch.zeros((), device=self._device)
        if objective.opacity_penalty > 0 and self.count:
            cost = cost + objective.opacity_penalty * gaussians["opacities"].sigmoid().mean()
        if objective.scale_penalty > 0 and self.count:
            cost = cost + objective.scale_penalty * gaussians["log_scales"].exp().mean()
        return cost

    def _tensor(self, values: NDArray[np.generic]) -> Tensor:
        """A copy on the device."""
        return torch.from_numpy(np.array(values)).to(self._device)

    def _named_memory(self) -> AbstractContextManager[None]:
        return _named_out_of_memory(f"{self.count:,} Gaussians")

    def _named_view(self, camera: Camera) -> AbstractContextManager[None]:
        return _named_out_of_memory(f"{self.count:,} Gaussians at {camera.width}x{camera.height} pixels")


@contextmanager
def _named_out_of_memory(what: str) -> Iterator[None]:
    """Turns torch's error into one that says what did not fit and what to do."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"the GPU has not enough memory for {what}; lower max_gaussians or max_image_side, "
            "or train on a GPU with more memory"
        ) from error


def _check_fits(count: int, capacity: int) -> None:
    if count > capacity:
        raise ValueError(f"{count} Gaussians do not fit a capacity of {capacity}")


def _check_array(name: str, values: NDArray[np.generic], dtype: type, shape: tuple[int, ...]) -> None:
    if values.dtype != dtype or values.shape != shape:
        raise ValueError(f"{name} is {values.dtype} {values.shape}, not {np.dtype(dtype)} {shape}")
