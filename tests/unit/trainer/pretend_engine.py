"""An engine that only pretends: it renders one grey after another and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats
from splatworks_trainer.engine import Edit, EngineState, Objective, Rates, Statistics, StepResult

PHOTO_GREY = 100


@dataclass
class PretendEngine:
    """Renders the greys of ``greys``, one per evaluation; ``steps`` are the photos it trained on.

    Its one Gaussian tells the number of steps done by its first mean.
    """

    greys: Sequence[float] = (PHOTO_GREY,) * 100
    loss: float = 0.1
    mse: Callable[[int], float] = lambda steps: 0.01
    spoil: str | None = None
    log_scale: float = 0.0
    steps: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    rates: list[Rates] = field(default_factory=list)
    objectives: list[Objective] = field(default_factory=list)
    walks: list[tuple[float, int]] = field(default_factory=list)
    renders: int = 0
    count: int = 1

    def render(self, camera: Camera) -> NDArray[np.float32]:
        grey = self.greys[min(self.renders, len(self.greys) - 1)]
        self.renders += 1
        return np.full((camera.height, camera.width, 3), grey / 255, np.float32)

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
        self.steps.append(camera.name)
        self.rates.append(rates)
        self.objectives.append(objective)
        gradient = None if exposure is None else np.ones_like(exposure)
        return StepResult(loss=self.loss, mse=self.mse(len(self.steps)), exposure_gradient=gradient)

    def blended(self, camera: Camera, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full(1, values.sum(), np.float32)

    def perturb(self, length: float, seed: int) -> None:
        self.walks.append((length, seed))

    def statistics(self) -> Statistics:
        zero = np.zeros(1, np.float32)
        return Statistics(grad2d=zero, views=zero)

    def apply(self, edit: Edit) -> None:
        self.edits.append(edit)

    def splats(self) -> Splats:
        splats = Splats(
            means=np.full((1, 3), len(self.steps), np.float32),
            log_scales=np.full((1, 3), self.log_scale, np.float32),
            quats=np.ones((1, 4), np.float32),
            opacities=np.zeros(1, np.float32),
            sh0=np.zeros((1, 3), np.float32),
            shN=np.zeros((1, 0, 3), np.float32),
        )
        if self.spoil:
            getattr(splats, self.spoil)[0] = np.nan
        return splats

    def state(self) -> EngineState:
        return {"steps": np.array(len(self.steps))}

    def restore(self, state: EngineState) -> None:
        self.steps = [""] * int(state["steps"])
