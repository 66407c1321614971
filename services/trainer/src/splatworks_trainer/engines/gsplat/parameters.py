"""The Gaussians as tensors on the device, each column with its Adam moments.

Adam (Kingma and Ba 2015) with the constants of 3DGS, dense: Gaussians that a photo does not show still move
by their momentum. All groups share one count of steps, as in the native engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

from splatworks_common.splats import Splats
from splatworks_trainer.engine import Edit, EngineState, Rates

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-15
_COLUMNS = tuple(field.name for field in fields(Splats))
"""The columns of the table, which are the parameter groups of ``Rates`` as well."""


class Parameters:
    """Gaussians with their Adam state.

    Attributes:
        gaussians: The columns of ``Splats`` as tensors that want gradients.
        steps: How many steps Adam has done.
    """

    def __init__(self, splats: Splats, device: torch.device) -> None:
        self._device = device
        self.gaussians: dict[str, Tensor] = {}
        self._first: dict[str, Tensor] = {}
        self._second: dict[str, Tensor] = {}
        self._become(
            {name: _tensor(getattr(splats, name), device) for name in _COLUMNS},
            {name: torch.zeros(getattr(splats, name).shape, device=device) for name in _COLUMNS},
            {name: torch.zeros(getattr(splats, name).shape, device=device) for name in _COLUMNS},
        )
        self.steps = 0

    @property
    def count(self) -> int:
        """How many Gaussians there are."""
        return len(self.gaussians["means"])

    def finite(self) -> Tensor:
        """Whether no value is NaN or infinite, as a tensor: looking at it waits for the GPU."""
        return torch.stack([values.isfinite().all() for values in self.gaussians.values()]).all()

    def descend(self, rates: Rates) -> None:
        """One step of Adam along the gradients, which are used up. Columns without a gradient stay."""
        self.steps += 1
        with torch.no_grad():
            for name, values in self.gaussians.items():
                if values.grad is None or not values.numel():
                    continue
                adam(
                    [values],
                    [values.grad],
                    [self._first[name]],
                    [self._second[name]],
                    [],
                    # torch counts this up before it uses it.
                    [torch.full((), self.steps - 1, dtype=torch.float32, device=self._device)],
                    fused=True,
                    amsgrad=False,
                    beta1=_BETA1,
                    beta2=_BETA2,
                    lr=getattr(rates, name),
                    weight_decay=0.0,
                    eps=_EPSILON,
                    maximize=False,
                )
                values.grad = None

    def edit(self, edit: Edit) -> None:
        """Keeps some with their moments, and appends others with moments of zero."""
        kept = torch.from_numpy(np.flatnonzero(edit.keep)).to(self._device)
        added = {name: _tensor(getattr(edit.append, name), self._device) for name in _COLUMNS}

        def joined(old: Mapping[str, Tensor], new: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: torch.cat([old[name].detach()[kept], new[name]]) for name in _COLUMNS}

        nothing = {name: torch.zeros_like(values) for name, values in added.items()}
        self._become(
            joined(self.gaussians, added), joined(self._first, nothing), joined(self._second, nothing)
        )

    def splats(self) -> Splats:
        """A copy in main memory."""
        return Splats(**{name: array(values) for name, values in self.gaussians.items()})

    def state(self) -> EngineState:
        """A copy of parameters, moments and steps, in main memory."""
        tables = {"": self.gaussians, "first_": self._first, "second_": self._second}
        arrays = {
            prefix + name.lower(): array(values)
            for prefix, table in tables.items()
            for name, values in table.items()
        }
        return {**arrays, "steps": np.array(self.steps, np.int64)}

    def restore(self, state: EngineState, capacity: int) -> None:
        """Becomes what had this state; the SH degree must be the same.

        Raises:
            ValueError: It is no such state. The parameters are then as they were.
        """
        n = len(state["means"]) if "means" in state and state["means"].ndim == 2 else -1
        if not 0 <= n <= capacity:
            raise ValueError(f"the state is not one of at most {capacity} Gaussians")
        steps = state.get("steps")
        if steps is None or steps.shape != () or steps.dtype != np.int64 or int(steps) < 0:
            raise ValueError("the state has no number of steps")
        shapes = {name: (n, *values.shape[1:]) for name, values in self.gaussians.items()}
        tables = [
            {
                name: _tensor(checked(state, prefix + name.lower(), shape), self._device)
                for name, shape in shapes.items()
            }
            for prefix in ("", "first_", "second_")
        ]
        self._become(*tables)
        self.steps = int(steps)

    def _become(
        self, gaussians: dict[str, Tensor], first: dict[str, Tensor], second: dict[str, Tensor]
    ) -> None:
        self.gaussians = {name: values.requires_grad_() for name, values in gaussians.items()}
        self._first, self._second = first, second


def checked(state: EngineState, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The float32 array of that name and shape.

    Raises:
        ValueError: The state has none.
    """
    values = state.get(name)
    if values is None or values.dtype != np.float32 or values.shape != shape:
        found = "nothing" if values is None else f"{values.dtype} {values.shape}"
        raise ValueError(f"{name} of the state is {found}, not float32 {shape}")
    return np.array(values, np.float32)


def array(values: Tensor) -> NDArray[np.float32]:
    """A copy in main memory."""
    copy: NDArray[np.float32] = values.detach().to("cpu", copy=True).numpy()
    return copy


def _tensor(values: NDArray[np.float32], device: torch.device) -> Tensor:
    """A copy on the device."""
    return torch.from_numpy(np.array(values, np.float32)).to(device)
