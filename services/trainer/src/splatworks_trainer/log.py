"""``training.log``: one JSON object a line, so that a run can be followed and plotted while it goes on.

Every line has ``event`` and ``seconds`` since the start of the run; the rest depends on the event:

- start: the photos, the Gaussians to begin with, the planned steps and all options
- resume: an attempt goes on from a checkpoint; the log of the attempt before is continued
- progress: loss and figures after a step
- edit: Gaussians were added and removed
- evaluation: the figures of the held-out photos
- restart: training went astray and was set back to ``step``: earlier lines of later steps no longer hold
- stop: the fit, or the polish after it, is over, and why
- significance: what photos hardly show has been removed

``course`` says what the steps of a line are counted in: "train", the fit, or "polish"; without it, the fit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self


class TrainingLog:
    """Writes the log; a context manager that closes it.

    Args:
        path: The file, overwritten.
        elapsed: Seconds since the start of the run, earlier attempts included.
        before: The lines that earlier attempts wrote.
    """

    def __init__(self, path: Path, elapsed: Callable[[], float], before: str = "") -> None:
        self._path = path
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._file.write(before)
        self._elapsed = elapsed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def seconds(self) -> float:
        """Seconds since the start of the run, earlier attempts included."""
        return self._elapsed()

    def text(self) -> str:
        """All lines so far."""
        return self._path.read_text(encoding="utf-8")

    def write(self, event: str, **values: object) -> None:
        """Appends one line; it is on disk when this returns."""
        line = {"event": event, "seconds": round(self.seconds, 3), **values}
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
