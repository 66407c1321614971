"""An engine that only pretends: it renders one grey after another and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats
from splatworks_trainer.engine import Edit, EngineState, Rates, Statistics, StepResult

PHOTO_GREY = 100


@dataclass
class PretendEngine:
    """Renders the greys of ``greys``, one per evaluation; ``steps`` are the photos it trained on.

    Its one Gaussian tells the number of steps done by its first mean.
    """

    greys: Sequence[float] = (PHOTO_GREY,) * 100
    loss: float = 0.1
    spoil: str | None = None
    steps: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    renders: int = 0
    count: int = 1

    def render(self, camera: Camera) -> NDArray[np.float32]:
        grey = self.greys[self.renders]
        self.renders += 1
        return np.full((camera.height, camera.width, 3), grey / 255, np.float32)

    def step(self, camera: Camera, photo: NDArray[np.uint8], rates: Rates, **_: Any) -> StepResult:
        self.steps.append(camera.name)
        return StepResult(loss=self.loss, mse=0.01)

    def statistics(self) -> Statistics:
        zero = np.zeros(1, np.float32)
        return Statistics(grad2d=zero, views=zero, radii=zero)

    def apply(self, edit: Edit) -> None:
        self.edits.append(edit)

    def splats(self) -> Splats:
        splats = Splats(
            means=np.full((1, 3), len(self.steps), np.float32),
            log_scales=np.zeros((1, 3), np.float32),
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
