"""How a stage tells how far it is, in the terms people think in (photos, pairs, dB).

A domain function takes a ``Report`` and calls it as often as it likes; whoever passed it in decides how often
that becomes a message. The function needs no clock, no logger and no network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Update:
    """One report from inside a step.

    Attributes:
        step: The step's name, one of the stage's declared steps (for example ``"features"``).
        done: How much of the step is done, in the step's own unit; never more than ``total``.
        total: The size of the step in the same unit; at least 1.
        message: A short human sentence without the numbers ("Extracting features").
        metrics: Figures worth watching while it runs (``{"psnr": 27.1, "gaussians": 41200}``).
        unit: What ``done`` and ``total`` count ("photos"); "" where the numbers mean nothing to people.
        resumed: How much of ``done`` an earlier attempt did: it says nothing about the time still to go.
        share: ``done`` as a share of the step's time, 0 to 1; None where all units take the same.
        resumed_share: ``resumed`` likewise, where there is a ``share``.
    """

    step: str
    done: float
    total: float
    message: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    resumed: float = 0.0
    share: float | None = None
    resumed_share: float = 0.0


Report = Callable[[Update], None]
"""What a domain function calls to tell its progress."""


def silent(update: Update) -> None:
    """A ``Report`` for callers who do not want to hear anything."""
