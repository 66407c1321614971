"""Waiting for something with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

FoundT = TypeVar("FoundT")

SECONDS = 90.0
"""Longest wait for anything that takes seconds on an idle machine."""


def until(
    look: Callable[[], FoundT | None],
    complaint: str,
    *,
    seconds: float = SECONDS,
    pause: float = 0.05,
    detail: Callable[[], str] = str,
) -> FoundT:
    """Returns what ``look`` finds as soon as that is true.

    Args:
        look: Called again and again.
        complaint: What the test fails with where the time is up.
        seconds: How long to wait.
        pause: Seconds between two looks.
        detail: What to add to the complaint.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{complaint} after {seconds:.0f} s\n{detail()}"
        time.sleep(pause)
    return found
