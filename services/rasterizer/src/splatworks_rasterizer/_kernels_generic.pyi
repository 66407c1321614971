"""The native module, the same for every instruction set. Of arrays only the type is checked."""

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float32]
_Colour = tuple[float, float, float]

class Camera:
    def __init__(
        self,
        viewmat: NDArray[np.float64],
        fx: float,
        fy: float,
        cx: float,
        cy: float,
        width: int,
        height: int,
    ) -> None: ...

class Model:
    def __init__(self, capacity: int, threads: int, antialiased: bool) -> None: ...
    @property
    def count(self) -> int: ...
    def append(
        self,
        means: _Floats,
        log_scales: _Floats,
        quats: _Floats,
        opacities: _Floats,
        sh0: _Floats,
        shN: _Floats,
    ) -> None: ...
    def read(
        self,
        means: _Floats,
        log_scales: _Floats,
        quats: _Floats,
        opacities: _Floats,
        sh0: _Floats,
        shN: _Floats,
    ) -> None:
        """Fills the arrays with all Gaussians."""

    def keep(self, mask: NDArray[np.uint8]) -> None: ...
    def render(self, camera: Camera, sh_degree: int, background: _Colour, rgb: _Floats) -> None:
        """Fills ``rgb``, ``[H, W, 3]``."""

    def step(
        self,
        camera: Camera,
        sh_degree: int,
        background: _Colour,
        photo: NDArray[np.uint8],
        mask: NDArray[np.uint8] | None,
        exposure: _Floats | None,
        weights: tuple[float, float, float],
        rates: tuple[float, float, float, float, float, float],
    ) -> tuple[float, float, list[float]]:
        """``weights`` are ssim_weight, opacity_penalty and scale_penalty.

        Returns loss, mean squared error and the gradient of the exposure, 12 zeros without one.
        """

    def gradient(
        self,
        camera: Camera,
        sh_degree: int,
        background: _Colour,
        photo: NDArray[np.uint8],
        mask: NDArray[np.uint8] | None,
        exposure: _Floats | None,
        weights: tuple[float, float, float],
        gradient: _Floats,
    ) -> tuple[float, float, list[float]]:
        """Fills ``gradient``, ``[59, N]``, and changes nothing else. For comparisons with a reference."""

    def blended(self, camera: Camera, values: _Floats, sums: _Floats) -> None:
        """Fills ``sums``, ``[N]``."""

    def perturb(self, length: float, seed: int) -> None: ...
    def read_statistics(self, grad2d: _Floats, views: _Floats) -> None: ...
    def reset_statistics(self) -> None: ...
    @property
    def steps(self) -> int: ...
    def read_state(
        self,
        parameters: _Floats,
        first: _Floats,
        second: _Floats,
        grad2d: _Floats,
        views: _Floats,
    ) -> None:
        """Fills three tables ``[ceil(N / 64), 59, 64]`` and two columns ``[N]``."""

    def restore(
        self,
        parameters: _Floats,
        first: _Floats,
        second: _Floats,
        grad2d: _Floats,
        views: _Floats,
        steps: int,
    ) -> None:
        """Becomes the model that ``read_state`` looked at."""

def spin_multiply_add(rounds: int) -> float:
    """Does nothing but multiply and add, and returns how many floating point operations that was."""

def plane_sweep(
    photo: _Floats, neighbours: list[_Floats], homographies: _Floats, plane: _Floats, score: _Floats
) -> None:
    """Fills ``plane`` and ``score``, ``[H, W]``."""

def ssim(a: _Floats, b: _Floats, threads: int) -> float: ...
