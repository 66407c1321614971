"""The rasterizer again, slow and plain, in float64 numpy: what the kernels are compared with.

Nothing here is shared with the kernels. Gaussians are blended one by one over the whole image; the gradient
of the blending goes back to front, as in the original paper; the gradient of the projection is taken by
complex steps, so nothing of it is derived by hand; the covariance is inverted as a matrix.
`test_reference.py` checks the gradients against finite differences.

Parameters are a table ``[59, N]``: means 0:3, log scales 3:6, quats 6:10, logit opacity 10, sh0 11:14, then
the higher bands, coefficient-major.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats

Array = NDArray[np.float64]
ComplexArray = NDArray[Any]
"""Real or complex: complex values carry derivatives."""

GROUPS = {
    "means": slice(0, 3),
    "log_scales": slice(3, 6),
    "quats": slice(6, 10),
    "opacities": slice(10, 11),
    "sh0": slice(11, 14),
    "shN": slice(14, 59),
}

ALPHA_MIN, ALPHA_MAX, TRANSMITTANCE_STOP = 1 / 255, 0.99, 1e-4
NEAR, LOW_PASS, CLAMP_MARGIN = 0.01, 0.3, 0.15


def table(splats: Splats) -> Array:
    """The parameters ``[59, N]`` of splats of degree 3."""
    columns = [splats.means, splats.log_scales, splats.quats, splats.opacities[:, None], splats.sh0]
    return np.concatenate([*columns, splats.shN.reshape(len(splats), 45)], axis=1).T.astype(np.float64)


def _sh_basis(direction: Array, degree: int) -> Array:
    """``[(degree + 1)^2, N]``."""
    x, y, z = direction
    basis = [np.full_like(x, np.sqrt(1 / (4 * np.pi)))]
    if degree >= 1:
        c = np.sqrt(3 / (4 * np.pi))
        basis += [-c * y, c * z, -c * x]
    if degree >= 2:
        c = np.sqrt(15 / (4 * np.pi))
        basis += [
            c * x * y,
            -c * y * z,
            c / np.sqrt(12) * (3 * z * z - 1),
            -c * x * z,
            c / 2 * (x * x - y * y),
        ]
    if degree >= 3:
        c = np.sqrt(35 / (32 * np.pi))
        d = np.sqrt(105 / (4 * np.pi))
        e = np.sqrt(21 / (32 * np.pi))
        basis += [
            -c * y * (3 * x * x - y * y),
            d * x * y * z,
            -e * y * (5 * z * z - 1),
            np.sqrt(7 / (16 * np.pi)) * z * (5 * z * z - 3),
            -e * x * (5 * z * z - 1),
            d / 2 * z * (x * x - y * y),
            -c * x * (x * x - 3 * y * y),
        ]
    return np.stack(basis)


@dataclass
class Flat:
    """Gaussians on the image plane. Fields may be complex, to carry derivatives."""

    mean: ComplexArray  # [2, N] pixels
    conic: ComplexArray  # [3, N] xx, xy, yy of the inverse covariance
    covariance: ComplexArray  # [2, 2, N]
    opacity: ComplexArray  # [N]
    colour: ComplexArray  # [3, N]
    depth: ComplexArray  # [N]


def project(p: ComplexArray, camera: Camera, degree: int, *, antialiased: bool = False) -> Flat:
    """Parameters ``[59, N]``, real or complex, to the image plane."""
    world = camera.viewmat[:3, :3]
    t = world @ p[0:3] + camera.viewmat[:3, 3:4]
    z = np.where(t[2].real > NEAR, t[2], NEAR)
    slopes = []
    for value, focal, centre, size in (
        (t[0] / z, camera.fx, camera.cx, camera.width),
        (t[1] / z, camera.fy, camera.cy, camera.height),
    ):
        low = -(centre + CLAMP_MARGIN * size) / focal
        high = (size - centre + CLAMP_MARGIN * size) / focal
        slopes.append(np.where(value.real < low, low, np.where(value.real > high, high, value)))
    zero = np.zeros_like(z)
    jacobian = np.array(
        [[camera.fx / z, zero, -camera.fx * slopes[0] / z], [zero, camera.fy / z, -camera.fy * slopes[1] / z]]
    )
    w, x, y, s = p[6:10] / np.sqrt((p[6:10] ** 2).sum(axis=0))
    rotation = np.array(
        [
            [1 - 2 * (y * y + s * s), 2 * (x * y - w * s), 2 * (x * s + w * y)],
            [2 * (x * y + w * s), 1 - 2 * (x * x + s * s), 2 * (y * s - w * x)],
            [2 * (x * s - w * y), 2 * (y * s + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    u = np.einsum("ijn,jk,kln,ln->iln", jacobian, world, rotation, np.exp(p[3:6]))
    sharp = np.einsum("iln,jln->ijn", u, u)
    covariance = sharp + LOW_PASS * np.eye(2)[:, :, None]
    fading = np.sqrt(_determinant(sharp) / _determinant(covariance)) if antialiased else 1
    inverse = np.moveaxis(np.linalg.inv(np.moveaxis(covariance, -1, 0)), 0, -1)
    mean = np.array([camera.fx * t[0] / z + camera.cx, camera.fy * t[1] / z + camera.cy])

    # The direction is a constant to the gradient.
    direction = p[0:3].real - camera.position[:, None]
    direction = direction / np.linalg.norm(direction, axis=0)
    bands = (degree + 1) ** 2
    coefficients = np.concatenate([p[None, 11:14], p[14:59].reshape(15, 3, -1)])[:bands]
    colour = 0.5 + np.einsum("kn,kcn->cn", _sh_basis(direction, degree), coefficients)
    return Flat(
        mean=mean,
        conic=np.array([inverse[0, 0], inverse[0, 1], inverse[1, 1]]),
        covariance=covariance,
        opacity=fading / (1 + np.exp(-p[10])),
        colour=np.where(colour.real > 0, colour, 0),
        depth=t[2],
    )


def _determinant(matrices: ComplexArray) -> ComplexArray:
    """Of ``[2, 2, N]``."""
    determinant: ComplexArray = matrices[0, 0] * matrices[1, 1] - matrices[0, 1] * matrices[1, 0]
    return determinant


@dataclass
class Layer:
    """What one Gaussian does to the image: alpha before and after the cuts, transmittance before it, ``[H,
    W]``."""

    index: int
    falloff: Array
    alpha: Array
    transmittance: Array


def blend(flat: Flat, camera: Camera, background: tuple[float, float, float]) -> tuple[Array, list[Layer]]:
    """Draws front to back. Returns the image ``[H, W, 3]`` and the layers, nearest first."""
    ys, xs = np.mgrid[0 : camera.height, 0 : camera.width] + 0.5
    transmittance = np.ones((camera.height, camera.width))
    image = np.zeros((camera.height, camera.width, 3))
    layers = []
    for i in np.argsort(flat.depth, kind="stable"):
        if flat.depth[i] <= NEAR:
            continue
        dx, dy = xs - flat.mean[0, i], ys - flat.mean[1, i]
        xx, xy, yy = flat.conic[:, i]
        falloff = np.exp(-0.5 * (xx * dx * dx + 2 * xy * dx * dy + yy * dy * dy))
        raw = flat.opacity[i] * falloff
        alpha = np.where(
            (raw >= ALPHA_MIN) & (transmittance >= TRANSMITTANCE_STOP), np.minimum(raw, ALPHA_MAX), 0
        )
        layers.append(Layer(int(i), falloff, alpha, transmittance))
        image += (alpha * transmittance)[:, :, None] * flat.colour[:, i]
        transmittance = transmittance * (1 - alpha)
    return image + transmittance[:, :, None] * np.asarray(background), layers


def clearance(flat: Flat, camera: Camera) -> float:
    """How near an alpha or a transmittance comes, relatively, to where float32 may decide otherwise."""
    _, layers = blend(flat, camera, (0, 0, 0))
    nearest = [1.0]
    for layer in layers:
        raw = flat.opacity[layer.index] * layer.falloff
        for value, limit in ((raw, ALPHA_MIN), (raw, ALPHA_MAX), (layer.transmittance, TRANSMITTANCE_STOP)):
            nearest.append(float(np.abs(value / limit - 1).min()))
    return min(nearest)


def blend_backward(
    flat: Flat, camera: Camera, background: tuple[float, float, float], layers: list[Layer], d_image: Array
) -> Flat:
    """dL/d(flat) from dL/d(image), back to front."""
    ys, xs = np.mgrid[0 : camera.height, 0 : camera.width] + 0.5
    n = len(flat.depth)
    d = Flat(
        np.zeros((2, n)), np.zeros((3, n)), np.zeros((2, 2, n)), np.zeros(n), np.zeros((3, n)), np.zeros(n)
    )
    behind = np.broadcast_to(np.asarray(background, np.float64), d_image.shape)
    for layer in reversed(layers):
        i = layer.index
        colour = flat.colour[:, i]
        d.colour[:, i] = ((layer.alpha * layer.transmittance)[:, :, None] * d_image).sum(axis=(0, 1))
        d_alpha = layer.transmittance * ((colour - behind) * d_image).sum(axis=2)
        behind = layer.alpha[:, :, None] * colour + (1 - layer.alpha)[:, :, None] * behind
        # Only where neither cut acts does alpha depend on anything.
        d_raw = np.where((layer.alpha > 0) & (layer.alpha < ALPHA_MAX), d_alpha, 0)
        d.opacity[i] = (d_raw * layer.falloff).sum()
        d_exponent = d_raw * flat.opacity[i] * layer.falloff
        dx, dy = xs - flat.mean[0, i], ys - flat.mean[1, i]
        xx, xy, yy = flat.conic[:, i]
        d.mean[0, i] = (d_exponent * (xx * dx + xy * dy)).sum()
        d.mean[1, i] = (d_exponent * (xy * dx + yy * dy)).sum()
        d.conic[0, i] = (d_exponent * -0.5 * dx * dx).sum()
        d.conic[1, i] = (d_exponent * -dx * dy).sum()
        d.conic[2, i] = (d_exponent * -0.5 * dy * dy).sum()
    return d


def window_filter(image: Array) -> Array:
    """The 11 x 11 Gaussian window of SSIM, zeros outside the image. It is its own transpose."""
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()
    for axis in (0, 1):
        image = correlate1d(image, taps, axis=axis, mode="constant")
    return image


def loss_and_gradient(image: Array, photo: Array, ssim_weight: float) -> tuple[float, Array]:
    """(1 - w) L1 + w (1 - SSIM) and its gradient. Images ``[H, W, 3]`` in 0..1."""
    c1, c2 = 0.01**2, 0.03**2
    mx, my = window_filter(image), window_filter(photo)
    xx, yy, xy = window_filter(image**2), window_filter(photo**2), window_filter(image * photo)
    a, b = 2 * mx * my + c1, 2 * (xy - mx * my) + c2
    c, d = mx**2 + my**2 + c1, (xx - mx**2) + (yy - my**2) + c2
    ssim = a * b / (c * d)
    d_mx = ssim * (2 * my / a - 2 * my / b - 2 * mx / c + 2 * mx / d)
    d_xx, d_xy = -ssim / d, 2 * ssim / b
    d_ssim = window_filter(d_mx) + 2 * image * window_filter(d_xx) + photo * window_filter(d_xy)
    loss = (1 - ssim_weight) * np.abs(image - photo).mean() + ssim_weight * (1 - ssim.mean())
    return float(loss), ((1 - ssim_weight) * np.sign(image - photo) - ssim_weight * d_ssim) / image.size


@dataclass
class Compared:
    """A render beside a photo."""

    loss: float
    mse: float
    d_image: Array
    d_exposure: Array  # [3, 4]


def compare(
    image: Array,
    photo: Array,
    ssim_weight: float,
    mask: NDArray[np.uint8] | None = None,
    exposure: NDArray[np.float32] | None = None,
) -> Compared:
    """The loss with the render's colours mapped by ``exposure`` and taken from the photo outside the mask."""
    affine = np.eye(3, 4) if exposure is None else exposure.astype(np.float64)
    counts = np.ones(image.shape[:2], bool) if mask is None else mask != 0
    mapped = np.where(counts[:, :, None], image @ affine[:, :3].T + affine[:, 3], photo)
    loss, d_mapped = loss_and_gradient(mapped, photo, ssim_weight)
    d_mapped = np.where(counts[:, :, None], d_mapped, 0)
    d_linear, d_offset = np.einsum("hwk,hwc->kc", d_mapped, image), d_mapped.sum(axis=(0, 1))
    mse = np.square(mapped.clip(0, 1) - photo)[counts].mean() if counts.any() else 0.0
    d_exposure = np.concatenate([d_linear, d_offset[:, None]], axis=1)
    return Compared(loss, float(mse), d_mapped @ affine[:, :3], d_exposure)


def ssim(a: Array, b: Array) -> float:
    """Mean SSIM."""
    return 1 - loss_and_gradient(a, b, 1.0)[0]


def render(p: Array, camera: Camera, degree: int, background: tuple[float, float, float]) -> Array:
    """The image ``[H, W, 3]``."""
    return blend(project(p, camera, degree), camera, background)[0]


@dataclass
class Result:
    """One view of a set of Gaussians."""

    image: Array
    loss: float
    mse: float
    gradient: Array  # [59, N]
    d_exposure: Array  # [3, 4]
    d_mean2d: Array  # [2, N] dL/d(mean on the image), pixels


def differentiate(
    p: Array,
    camera: Camera,
    photo: NDArray[np.uint8],
    degree: int,
    ssim_weight: float,
    background: tuple[float, float, float],
    *,
    penalties: tuple[float, float] = (0, 0),
    mask: NDArray[np.uint8] | None = None,
    exposure: NDArray[np.float32] | None = None,
    antialiased: bool = False,
) -> Result:
    """Image, loss and gradient. ``penalties`` are those of the mean opacity and the mean scale."""
    flat = project(p, camera, degree, antialiased=antialiased)
    image, layers = blend(flat, camera, background)
    compared = compare(image, photo / 255, ssim_weight, mask, exposure)
    d_flat = blend_backward(flat, camera, background, layers, compared.d_image)
    gradient = np.zeros_like(p)
    step = 1e-30
    for row in range(14 + 3 * ((degree + 1) ** 2 - 1)):
        moved = p.astype(np.complex128)
        moved[row] += 1j * step
        by_row = project(moved, camera, degree, antialiased=antialiased)
        for name in ("mean", "conic", "opacity", "colour"):
            slope = getattr(by_row, name).imag / step
            product = getattr(d_flat, name) * slope
            gradient[row] += product.reshape(-1, p.shape[1]).sum(axis=0)
        gradient[row] += _penalty(moved, penalties).imag / step
    loss = compared.loss + float(_penalty(p, penalties).sum().real)
    return Result(image, loss, compared.mse, gradient, compared.d_exposure, d_flat.mean)


def _penalty(p: ComplexArray, penalties: tuple[float, float]) -> ComplexArray:
    """What each Gaussian adds to the loss, ``[N]``."""
    opacity, scale = 1 / (1 + np.exp(-p[10])), np.exp(p[3:6]).mean(axis=0)
    each: ComplexArray = (penalties[0] * opacity + penalties[1] * scale) / max(p.shape[1], 1)
    return each


def blended(p: Array, camera: Camera, values: Array) -> Array:
    """For each Gaussian, the sum over pixels of its blending weight times the pixel's value."""
    sums = np.zeros(p.shape[1])
    for layer in blend(project(p, camera, 0), camera, (0, 0, 0))[1]:
        sums[layer.index] = (layer.alpha * layer.transmittance * values).sum()
    return sums
