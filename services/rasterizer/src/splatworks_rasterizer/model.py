"""Gaussians with their optimizer state: render, training step, statistics, edits.

All arithmetic is in the kernels; this module checks arguments, which the kernels trust, and carries arrays
across. Conventions are those of `splatworks_common.cameras` and `splatworks_common.splats`. The image
formation is that of 3D Gaussian splatting (Kerbl et al. 2023) with the constants of gsplat: near plane 0.01,
low pass 0.3 square pixels, alpha between 1/255 and 0.99, a pixel done once its transmittance is below 1e-4.
The gradient does not flow through the direction in which a colour is seen.

A model is used by one thread at a time; its own threads are its own affair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.splats import SH_REST_BY_DEGREE, Splats
from splatworks_rasterizer.native import kernels

Colour: TypeAlias = tuple[float, float, float]

MAX_IMAGE_SIDE = 32_768
"""Longest image side in pixels: positions are float32 and must resolve a small part of a pixel."""

_BLACK: Colour = (0.0, 0.0, 0.0)
_ROWS, _BLOCK = 59, 64
"""The kernels keep Gaussians in blocks of 64, ``[59, 64]`` each; see ``layout.hpp``."""


@dataclass(frozen=True)
class Rates:
    """Adam learning rates of one step, one for each parameter group. Zero leaves a group as it is."""

    means: float
    log_scales: float
    quats: float
    opacities: float
    sh0: float
    shN: float

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"rate {field.name} is {value}, not a finite number >= 0")


@dataclass(frozen=True)
class Objective:
    """What a step optimises and how its picture is formed.

    The penalties are those of 3DGS-MCMC (Kheradmand et al. 2024, equation 10); its weights are 0.01.

    Attributes:
        sh_degree: Spherical harmonics degree in use, 0..3.
        ssim_weight: Share of 1 - SSIM in the loss, 0..1; the rest is L1.
        background: Colour behind all Gaussians.
        opacity_penalty: Times the mean opacity of all Gaussians is added to the loss; at least 0.
        scale_penalty: Times the mean scale, over all Gaussians and their three axes, is added; at least 0,
            per world unit.

    Raises:
        ValueError: A value is out of its range.
    """

    sh_degree: int
    ssim_weight: float
    background: Colour = _BLACK
    opacity_penalty: float = 0.0
    scale_penalty: float = 0.0

    def __post_init__(self) -> None:
        _check_degree(self.sh_degree)
        _check_colour(self.background)
        if not 0 <= self.ssim_weight <= 1:
            raise ValueError(f"ssim_weight is {self.ssim_weight}, not between 0 and 1")
        for name in ("opacity_penalty", "scale_penalty"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}, not a finite number >= 0")


@dataclass(frozen=True)
class StepResult:
    """What a training step saw before it changed anything.

    Attributes:
        loss: ``(1 - ssim_weight) * L1 + ssim_weight * (1 - SSIM)`` and the penalties; NaN if any Gaussian
            holds a NaN or an infinity.
        mse: Mean squared error over the pixels that count, colours in 0..1, render clipped to 0..1; 0 where
            the mask lets no pixel count.
        exposure_gradient: ``[3, 4]`` dL/d(exposure); None where none was given.
    """

    loss: float
    mse: float
    exposure_gradient: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Statistics:
    """What densification wants to know, added up since the last reset.

    Attributes:
        grad2d: ``[N]`` float32, sum over views of the norm of dL/d(mean on the image), pixels scaled by (W/2,
            H/2): the quantity that gsplat's ``DefaultStrategy`` compares with ``grow_grad2d`` after dividing
            by ``views``.
        views: ``[N]`` float32, number of views in which the Gaussian was on the image.
    """

    grad2d: NDArray[np.float32]
    views: NDArray[np.float32]


class GaussianModel:
    """Up to ``capacity`` Gaussians, their Adam moments and statistics.

    Spherical harmonics are stored to degree 3 whatever the input has; missing bands start at zero. Memory is
    used by the Gaussians that are there, not by the capacity.

    Example:
        >>> model = GaussianModel(splats, capacity=200_000, threads=2)
        >>> result = model.step(camera, photo, rates, Objective(sh_degree=0, ssim_weight=0.2))
        >>> picture = model.render(camera)

    Args:
        splats: The Gaussians to begin with; may be none.
        capacity: The most Gaussians the model may ever hold.
        threads: Threads that share the work, the calling one included. Results do not depend on it.
        antialiased: Whether a Gaussian fades as far as the low pass enlarges it on the image, in every render
            and step of this model: its opacity times ``sqrt(det(cov2d) / det(cov2d + 0.3 I))`` (the 2D filter
            of Yu et al., "Mip-Splatting", 2024; gsplat's ``rasterize_mode="antialiased"``).

    Raises:
        ValueError: More splats than capacity, or ``threads`` < 1.
    """

    def __init__(self, splats: Splats, *, capacity: int, threads: int, antialiased: bool = False) -> None:
        if threads < 1:
            raise ValueError(f"threads is {threads}; at least 1 is needed")
        if capacity < len(splats):
            raise ValueError(f"{len(splats)} Gaussians do not fit a capacity of {capacity}")
        self._capacity = capacity
        self._native = kernels.Model(capacity, threads, antialiased)
        self._native.append(*_columns(splats))

    @property
    def count(self) -> int:
        """How many Gaussians there are."""
        return self._native.count

    def splats(self, sh_degree: int = 3) -> Splats:
        """A copy of the Gaussians, with the bands up to ``sh_degree``."""
        _check_degree(sh_degree)
        n = self.count
        splats = Splats(
            means=np.empty((n, 3), np.float32),
            log_scales=np.empty((n, 3), np.float32),
            quats=np.empty((n, 4), np.float32),
            opacities=np.empty(n, np.float32),
            sh0=np.empty((n, 3), np.float32),
            shN=np.empty((n, SH_REST_BY_DEGREE[sh_degree], 3), np.float32),
        )
        self._native.read(*_columns(splats))
        return splats

    def render(
        self, camera: Camera, *, sh_degree: int = 3, background: Colour = _BLACK
    ) -> NDArray[np.float32]:
        """Draws the Gaussians as the camera sees them.

        Returns:
            ``[H, W, 3]`` float32, colours in 0..1 as a rule but not clipped.

        Raises:
            ValueError: The camera or background is not finite, or the size or degree is out of range.
        """
        _check_degree(sh_degree)
        view = _native_camera(camera)
        picture = np.empty((camera.height, camera.width, 3), np.float32)
        _check_colour(background)
        self._native.render(view, sh_degree, background, picture)
        return picture

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
        """One training step on one photo: render, loss, gradients, Adam, statistics.

        Bands above ``objective.sh_degree`` are not used and not changed. Adam is dense: Gaussians that the
        photo does not show still move by their momentum.

        Args:
            camera: The photo's camera.
            photo: ``[H, W, 3]`` uint8 at the camera's size.
            rates: Learning rates of this step.
            objective: What is optimised.
            mask: ``[H, W]`` uint8. Where it is 0 the render counts as equal to the photo: no error, also not
                in the windows of SSIM, and no gradient. The means of the loss stay over all pixels.
            exposure: ``[3, 4]`` float32. ``exposure[:, :3] @ colour + exposure[:, 3]`` is compared with the
                photo in place of the rendered colour.

        Raises:
            ValueError: An argument has the wrong shape or type or is out of range.
        """
        view = _native_camera(camera)
        _check_image("photo", photo, np.uint8, (camera.height, camera.width, 3))
        if mask is not None:
            _check_image("mask", mask, np.uint8, (camera.height, camera.width))
            mask = np.ascontiguousarray(mask)
        if exposure is not None:
            if exposure.dtype != np.float32 or exposure.shape != (3, 4) or not np.isfinite(exposure).all():
                raise ValueError(f"exposure {exposure} is not a finite float32 map of shape (3, 4)")
            exposure = np.ascontiguousarray(exposure)
        loss, mse, by_exposure = self._native.step(
            view,
            objective.sh_degree,
            objective.background,
            np.ascontiguousarray(photo),
            mask,
            exposure,
            (objective.ssim_weight, objective.opacity_penalty, objective.scale_penalty),
            astuple(rates),
        )
        gradient = None if exposure is None else np.array(by_exposure, np.float32).reshape(3, 4)
        return StepResult(loss, mse, gradient)

    def blended(self, camera: Camera, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much of an image each Gaussian accounts for.

        Args:
            camera: Where it is seen from.
            values: ``[H, W]`` float32, finite, at the camera's size. Ones give a Gaussian's significance (Fan
                et al., "LightGaussian", 2024); a map of errors gives its share of them.

        Returns:
            ``[N]`` float32: the sum over pixels of the Gaussian's blending weight, alpha times the
            transmittance before it, times the pixel's value.

        Raises:
            ValueError: An argument has the wrong shape or type or is not finite.
        """
        view = _native_camera(camera)
        _check_image("values", values, np.float32, (camera.height, camera.width))
        if not np.isfinite(values).all():
            raise ValueError("values hold a NaN or an infinity")
        sums = np.empty(self.count, np.float32)
        self._native.blended(view, np.ascontiguousarray(values), sums)
        return sums

    def perturb(self, length: float, seed: int) -> None:
        """Moves every mean at random, faint Gaussians farther, as 3DGS-MCMC does (Kheradmand et al. 2024).

        ``means += Sigma @ xi * sigmoid(-100 * (opacity - 0.005)) * length`` with Sigma the covariance and xi
        standard normal, from a generator that counts Gaussians: the same seed gives the same numbers for any
        number of threads. Moments stay.

        Args:
            length: Usually the means' learning rate times 5e5; at least 0, per world unit.
            seed: 0..2^64 - 1; one of its own for each step.

        Raises:
            ValueError: An argument is out of its range.
        """
        if not (math.isfinite(length) and length >= 0):
            raise ValueError(f"length is {length}, not a finite number >= 0")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed is {seed}, not between 0 and 2^64 - 1")
        self._native.perturb(length, seed)

    def statistics(self) -> Statistics:
        """A copy of the statistics since the last reset."""
        n = self.count
        statistics = Statistics(np.empty(n, np.float32), np.empty(n, np.float32))
        self._native.read_statistics(statistics.grad2d, statistics.views)
        return statistics

    def reset_statistics(self) -> None:
        """Sets all statistics to zero."""
        self._native.reset_statistics()

    def edit(self, keep: NDArray[np.bool_], append: Splats) -> None:
        """Drops some Gaussians and adds others.

        Kept ones move up in order, with their moments and statistics; appended ones follow, with moments and
        statistics of zero.

        Args:
            keep: ``[N]`` bool, False where a Gaussian is dropped.
            append: Gaussians to add; may be none.

        Raises:
            ValueError: ``keep`` has the wrong shape or type, or the outcome would exceed the capacity. The
                model is then as it was.
        """
        if keep.dtype != np.bool_ or keep.shape != (self.count,):
            raise ValueError(f"keep is {keep.dtype} {keep.shape}, not bool ({self.count},)")
        count = int(np.count_nonzero(keep)) + len(append)
        if count > self._capacity:
            raise ValueError(f"{count} Gaussians do not fit a capacity of {self._capacity}")
        columns = _columns(append)
        self._native.keep(np.ascontiguousarray(keep).view(np.uint8))
        self._native.append(*columns)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """A copy of all that the next calls depend on: parameters, moments, statistics, number of steps.

        Returns:
            ``parameters``, ``first`` and ``second`` moments as the kernels keep them, ``[ceil(N / 64), 59,
            64]`` float32 with zeros in unused places; ``grad2d`` and ``views``, ``[N]`` float32; ``steps``,
            one int64.
        """
        n = self.count
        tables = [np.empty((-(-n // _BLOCK), _ROWS, _BLOCK), np.float32) for _ in range(3)]
        columns = [np.empty(n, np.float32) for _ in range(2)]
        self._native.read_state(*tables, *columns)
        names = ("parameters", "first", "second", "grad2d", "views")
        arrays = dict(zip(names, [*tables, *columns], strict=True))
        return {**arrays, "steps": np.array(self._native.steps, np.int64)}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Becomes, to the last bit, the model whose ``state`` this is; the number of threads stays.

        Raises:
            ValueError: It is no such state, or holds more Gaussians than the capacity. The model is then as
                it was.
        """
        n = len(state["views"]) if "views" in state and state["views"].ndim == 1 else -1
        if not 0 <= n <= self._capacity:
            raise ValueError(f"the state is not one of at most {self._capacity} Gaussians")
        table, column = (-(-n // _BLOCK), _ROWS, _BLOCK), (n,)
        tables = [_checked(state, name, table) for name in ("parameters", "first", "second")]
        columns = [_checked(state, name, column) for name in ("grad2d", "views")]
        if any(blocks[-1:, :, n - (len(blocks) - 1) * _BLOCK :].any() for blocks in tables):
            raise ValueError("the state has values in unused places")
        steps = state.get("steps")
        if steps is None or steps.shape != () or steps.dtype != np.int64 or int(steps) < 0:
            raise ValueError("the state has no number of steps")
        parameters, first, second = tables
        grad2d, views = columns
        self._native.restore(parameters, first, second, grad2d, views, int(steps))


def render(
    splats: Splats,
    camera: Camera,
    *,
    threads: int,
    background: Colour = _BLACK,
    antialiased: bool = False,
) -> NDArray[np.float32]:
    """Draws splats once, with all the bands they have. For many views, keep a `GaussianModel`.

    Returns:
        ``[H, W, 3]`` float32, not clipped.

    Raises:
        ValueError: The camera or background is not finite, or the size is out of range.
    """
    model = GaussianModel(splats, capacity=len(splats), threads=threads, antialiased=antialiased)
    return model.render(camera, sh_degree=splats.sh_degree, background=background)


def _columns(
    splats: Splats,
) -> tuple[
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
]:
    """The arrays of a table in the kernels' order; no copy where they are contiguous float32 already."""
    return (
        np.ascontiguousarray(splats.means, np.float32),
        np.ascontiguousarray(splats.log_scales, np.float32),
        np.ascontiguousarray(splats.quats, np.float32),
        np.ascontiguousarray(splats.opacities, np.float32),
        np.ascontiguousarray(splats.sh0, np.float32),
        np.ascontiguousarray(splats.shN, np.float32),
    )


def _checked(
    state: Mapping[str, NDArray[np.generic]], name: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    values = state.get(name)
    if values is None or values.dtype != np.float32 or values.shape != shape:
        found = "nothing" if values is None else f"{values.dtype} {values.shape}"
        raise ValueError(f"{name} of the state is {found}, not float32 {shape}")
    return np.ascontiguousarray(values, np.float32)


def _check_degree(sh_degree: int) -> None:
    if sh_degree not in (0, 1, 2, 3):
        raise ValueError(f"sh_degree is {sh_degree}, not 0, 1, 2 or 3")


def _check_colour(colour: Colour) -> None:
    if np.shape(colour) != (3,) or not all(math.isfinite(channel) for channel in colour):
        raise ValueError(f"background {colour} is not three finite numbers")


def _check_image(name: str, image: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    if image.dtype != dtype or image.shape != shape:
        raise ValueError(f"{name} is {image.dtype} {image.shape}; the camera needs {np.dtype(dtype)} {shape}")


def _native_camera(camera: Camera) -> kernels.Camera:
    """Checks a camera and hands it to the kernels.

    Raises:
        ValueError: It is not a camera that can be drawn with.
    """
    if not (1 <= camera.width <= MAX_IMAGE_SIDE and 1 <= camera.height <= MAX_IMAGE_SIDE):
        raise ValueError(
            f"camera {camera.name} is {camera.width} x {camera.height} pixels; "
            f"sides go from 1 to {MAX_IMAGE_SIDE}"
        )
    intrinsics = (camera.fx, camera.fy, camera.cx, camera.cy)
    if not all(math.isfinite(value) for value in intrinsics) or camera.fx <= 0 or camera.fy <= 0:
        raise ValueError(f"camera {camera.name} has no usable intrinsics: fx, fy, cx, cy = {intrinsics}")
    viewmat = np.ascontiguousarray(camera.viewmat, np.float64)
    if viewmat.shape != (4, 4) or not np.isfinite(viewmat).all():
        raise ValueError(f"camera {camera.name} has no finite 4 x 4 viewmat")
    rotation = viewmat[:3, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise ValueError(f"camera {camera.name}: the rotation in its viewmat is not orthonormal")
    return kernels.Camera(viewmat, *intrinsics, camera.width, camera.height)
