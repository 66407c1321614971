"""What densification wants to know of each Gaussian, added up on the device from view to view.

The figures are those of gsplat's ``DefaultStrategy``, and of the native engine; see ``Statistics``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from splatworks_common.cameras import Camera
from splatworks_trainer.engine import EngineState, Statistics
from splatworks_trainer.engines.gsplat.drawing import Drawing
from splatworks_trainer.engines.gsplat.parameters import array, checked

_NAMES = ("grad2d", "views")


class Seen:
    """The sums of some views for N Gaussians, ``[N]`` each."""

    def __init__(self, count: int, device: torch.device) -> None:
        self._device = device
        self._sums = {name: torch.zeros(count, device=device) for name in _NAMES}

    def add(self, drawing: Drawing, camera: Camera, *, absgrad: bool) -> None:
        """Adds a view after the gradients of its drawing were taken.

        Args:
            drawing: The view; its ``means2d`` has a gradient, ``[1, N, 2]``, or ``[V, 2]`` if packed.
            camera: The view's camera.
            absgrad: Whether the absolute gradient is meant.
        """
        means2d, radii = drawing.meta["means2d"], drawing.meta["radii"]
        gradient = means2d.absgrad if absgrad else means2d.grad
        half_size = torch.tensor([camera.width / 2, camera.height / 2], device=self._device)
        in_view = self._of_all((radii > 0).all(dim=-1), drawing)
        pull = self._of_all((gradient * half_size).norm(dim=-1), drawing)
        self._sums["grad2d"] += torch.where(in_view, pull, 0)
        self._sums["views"] += in_view

    def _of_all(self, values: Tensor, drawing: Drawing) -> Tensor:
        """``[N]``, zero for those that a packed drawing leaves out."""
        if not drawing.packed:
            return values[0]
        zeros = torch.zeros(len(self._sums["views"]), dtype=values.dtype, device=self._device)
        return zeros.index_copy(0, drawing.meta["gaussian_ids"], values)

    def statistics(self) -> Statistics:
        """A copy in main memory."""
        return Statistics(**{name: array(values) for name, values in self._sums.items()})

    def state(self) -> EngineState:
        """The same, as part of an engine's state."""
        return {name: array(values) for name, values in self._sums.items()}

    @staticmethod
    def restored(state: EngineState, count: int, device: torch.device) -> Seen:
        """What had this state.

        Raises:
            ValueError: It is no such state.
        """
        seen = Seen(count, device)
        for name in _NAMES:
            values: Tensor = torch.from_numpy(checked(state, name, (count,)))
            seen._sums[name] = values.to(device)
        return seen
