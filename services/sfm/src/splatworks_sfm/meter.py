"""Measures what each step of the stage costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc/self")


@dataclass(frozen=True)
class StepCost:
    """The cost of one step.

    Attributes:
        seconds: Wall time.
        cpu_seconds: Processor time of all threads.
        peak_bytes: Largest resident memory while it ran.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass
class Meter:
    """Collects the costs of steps by name, from two clocks in seconds: the wall's and the process's."""

    wall: Callable[[], float]
    cpu: Callable[[], float]
    costs: dict[str, StepCost] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measures the block as the step ``name``; a block that raises is not counted."""
        _forget_peak()
        wall, cpu = self.wall(), self.cpu()
        yield
        self.costs[name] = StepCost(self.wall() - wall, self.cpu() - cpu, _peak_bytes())


def _forget_peak() -> None:
    """Starts the kernel's peak anew; where it may not be written the peak is that of the process so far."""
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        return


def _peak_bytes() -> int:
    found = re.search(r"VmHWM:\s+([0-9]+) kB", (_PROC / "status").read_text())
    return int(found[1]) * 1024 if found else 0
