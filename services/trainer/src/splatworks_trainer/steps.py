"""The steps of the training stage: for the server, which never loads the kernels, and for the work itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STEPS: Mapping[str, float] = MappingProxyType({"load": 0.03, "train": 0.93, "evaluate": 0.03, "export": 0.01})
"""The steps in order, with their usual shares of the stage's time."""
