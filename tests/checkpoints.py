"""Checkpoints in memory of a test, for stages that are run without a store."""

from __future__ import annotations

from pathlib import Path

from splatworks_common.checkpoints import Write
from splatworks_common.reasons import Preempted


class PausingCheckpoint:
    """Is due at every ask, and tells the work to stop at the ask of number ``stop_at``, counted from 1.

    Attributes:
        saved: The folder of the latest save.
        asks: How often it was asked since it was made.
    """

    def __init__(self, folder: Path, stop_at: int = 0, loaded: Path | None = None) -> None:
        self._folder = folder
        self._stop_at = stop_at
        self._loaded = loaded
        self.saved: Path | None = None
        self.asks = 0

    def load(self) -> Path | None:
        return self._loaded

    def due(self, seconds: float) -> bool:
        self.asks += 1
        return self.asks == self._stop_at

    def save(self, write: Write) -> None:
        self.saved = self._folder / f"save-{self.asks}"
        self.saved.mkdir(parents=True)
        write(self.saved)
        raise Preempted("The test stops here.")
