"""Chooses, once at import, the kernels that fit this CPU.

The kernels are compiled for three instruction sets (``generic``, ``v3`` = AVX2 and FMA, ``v4`` = AVX-512;
only ``generic`` off x86-64). The best one that the CPU runs is loaded, and only that one. ``SPLATWORKS_ISA``
names another, for tests and for measuring. Their results differ in the last bits, since they round
differently.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING

from splatworks_rasterizer import _cpu

if TYPE_CHECKING:
    from splatworks_rasterizer import _kernels_generic as kernels

__all__ = ["ENVIRONMENT_VARIABLE", "ISA", "available", "choose", "kernels"]

ENVIRONMENT_VARIABLE = "SPLATWORKS_ISA"


def _built(isa: str) -> bool:
    return importlib.util.find_spec(f"splatworks_rasterizer._kernels_{isa}") is not None


def available() -> list[str]:
    """Names of the instruction sets that are both built and run by this CPU, best last."""
    return [isa for isa in _cpu.supported() if _built(isa)]


def choose(wanted: str | None, candidates: list[str]) -> str:
    """The wanted instruction set, or the best of the candidates if none is wanted.

    Raises:
        ImportError: The wanted one is not among the candidates.
    """
    if not wanted:
        return candidates[-1]
    if wanted not in candidates:
        raise ImportError(
            f"{ENVIRONMENT_VARIABLE}={wanted}: this machine and build offer {', '.join(candidates)}. "
            f"Unset {ENVIRONMENT_VARIABLE} to take the best one."
        )
    return wanted


ISA = choose(os.environ.get(ENVIRONMENT_VARIABLE), available())
"""The instruction set in use."""

if not TYPE_CHECKING:
    kernels = importlib.import_module(f"splatworks_rasterizer._kernels_{ISA}")
