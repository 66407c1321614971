"""The one table type for 3D Gaussians that every stage passes along.

Values are stored as they are trained (log scales, logit opacities, unnormalised quaternions), float32, one
row a Gaussian. Coordinates are those of the COLMAP model it was trained on: the table never changes frame.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

SH_C0 = 0.28209479177387814
"""The constant of spherical harmonics band 0: colour = 0.5 + SH_C0 * sh0."""

SH_REST_BY_DEGREE = (0, 3, 8, 15)
"""Coefficients beyond band 0, per colour channel, for SH degree 0 to 3."""


@dataclass(frozen=True)
class Splats:
    """N Gaussians.

    Attributes:
        means: Centres in world units, ``[N, 3]``.
        log_scales: Natural log of the standard deviation along each local axis, ``[N, 3]``.
        quats: Rotation from local axes to world, wxyz, not necessarily normalised, ``[N, 4]``.
        opacities: Logits; sigmoid gives the opacity, ``[N]``.
        sh0: Band 0 coefficients of red, green, blue, ``[N, 3]``.
        shN: The higher bands, coefficient-major: ``[N, K, 3]`` with K in (0, 3, 8, 15).
    """

    means: NDArray[np.float32]
    log_scales: NDArray[np.float32]
    quats: NDArray[np.float32]
    opacities: NDArray[np.float32]
    sh0: NDArray[np.float32]
    shN: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.means)
        expected = {"means": (n, 3), "log_scales": (n, 3), "quats": (n, 4), "opacities": (n,), "sh0": (n, 3)}
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {shape}")
        if self.shN.ndim != 3 or self.shN.shape[0] != n or self.shN.shape[2] != 3:
            raise ValueError(f"shN has shape {self.shN.shape}, not ({n}, K, 3)")
        if self.shN.shape[1] not in SH_REST_BY_DEGREE:
            raise ValueError(
                f"shN has {self.shN.shape[1]} coefficients; 0, 3, 8 or 15 make a whole SH degree"
            )

    def __len__(self) -> int:
        return len(self.means)

    @property
    def sh_degree(self) -> int:
        """The spherical harmonics degree, 0 to 3."""
        return SH_REST_BY_DEGREE.index(self.shN.shape[1])

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Splats:
        """The rows that ``index`` (positions or a mask) selects, in its order."""
        return Splats(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def rotation_matrices(quats: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rotation matrices ``[N, 3, 3]``, local axes to world.

    Args:
        quats: wxyz, not necessarily normalised but not zero, ``[N, 4]``.
    """
    w, x, y, z = (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float64).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)
