"""A place on disk to go back to when training goes astray: the last state known to be sound, else the first.

On disk and not in memory, since it is as large as the model with its moments, and hardly ever needed.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from pathlib import Path

from splatworks_trainer.state import RunState, read_state, write_state

logger = logging.getLogger(__name__)


class SafePoint:
    """Holds one state at a time.

    Args:
        scratch: A folder of the run's own.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._folder: Path | None = None

    def save(self, state: RunState) -> None:
        """Replaces the state by a newer one, or keeps it where there is no room on the disk."""
        folder = self._scratch / f"safe-point-{uuid.uuid4().hex}"
        try:
            folder.mkdir()
            write_state(state, folder)
        except OSError as error:
            logger.warning("a state to go back to could not be written, the work goes on: %s", error)
            shutil.rmtree(folder, ignore_errors=True)
            return
        if self._folder:
            shutil.rmtree(self._folder)
        self._folder = folder

    def load(self) -> RunState | None:
        """The state saved last; none before the first step."""
        return read_state(self._folder) if self._folder else None
