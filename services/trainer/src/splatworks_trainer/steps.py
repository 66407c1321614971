"""The steps of the training stage: for the server, which never loads the kernels, and for the work itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STEPS: Mapping[str, float] = MappingProxyType(
    {"load": 0.03, "start": 0.03, "train": 0.81, "evaluate": 0.03, "polish": 0.08, "export": 0.02}
)
"""The steps in order, with their usual shares of the stage's time."""
