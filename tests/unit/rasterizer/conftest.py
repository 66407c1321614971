"""The native kernels of every instruction set that this machine runs, as a fixture."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from splatworks_rasterizer import native


@pytest.fixture(params=native.available())
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    """One native module after the other."""
    return importlib.import_module(f"splatworks_rasterizer._kernels_{request.param}")
