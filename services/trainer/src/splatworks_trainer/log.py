"""``training.log``: one JSON object a line, so that a run can be followed and plotted while it goes on.

Every line has ``event`` (start, progress, edit, evaluation, stop) and ``seconds`` since the start; the rest
depends on the event.
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
        elapsed: Seconds since the start of the run.
    """

    def __init__(self, path: Path, elapsed: Callable[[], float]) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._elapsed = elapsed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, event: str, **values: object) -> None:
        """Appends one line; it is on disk when this returns."""
        line = {"event": event, "seconds": round(self._elapsed(), 3), **values}
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
