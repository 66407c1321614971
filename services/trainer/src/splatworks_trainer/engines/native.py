"""The CPU engine: a thin cover over this project's own kernels in ``splatworks_rasterizer``.

Results are bit-identical for any number of threads; that is the kernels' promise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats
from splatworks_rasterizer import GaussianModel
from splatworks_trainer.engine import Edit, EngineState, Objective, Rates, Statistics, StepResult


class NativeEngine:
    """An ``Engine`` on the CPU; made as ``EngineFactory`` says."""

    def __init__(self, splats: Splats, *, capacity: int, threads: int, antialiased: bool = False) -> None:
        self._sh_degree = splats.sh_degree
        self._model = GaussianModel(splats, capacity=capacity, threads=threads, antialiased=antialiased)

    @property
    def count(self) -> int:
        """See ``Engine.count``."""
        return self._model.count

    def render(self, camera: Camera) -> NDArray[np.float32]:
        """See ``Engine.render``."""
        return self._model.render(camera, sh_degree=self._sh_degree)

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
        return self._model.step(camera, photo, rates, objective, mask=mask, exposure=exposure)

    def blended(self, camera: Camera, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``Engine.blended``."""
        return self._model.blended(camera, values)

    def perturb(self, length: float, seed: int) -> None:
        """See ``Engine.perturb``."""
        self._model.perturb(length, seed)

    def statistics(self) -> Statistics:
        """See ``Engine.statistics``."""
        return self._model.statistics()

    def apply(self, edit: Edit) -> None:
        """See ``Engine.apply``."""
        self._model.edit(edit.keep, edit.append)
        self._model.reset_statistics()

    def splats(self) -> Splats:
        """See ``Engine.splats``."""
        return self._model.splats(self._sh_degree)

    def state(self) -> EngineState:
        """See ``Engine.state``."""
        return self._model.state()

    def restore(self, state: EngineState) -> None:
        """See ``Engine.restore``."""
        self._model.restore(state)
