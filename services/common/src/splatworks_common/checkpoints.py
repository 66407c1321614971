"""How work survives its process: the line between a stage's domain and wherever its state is kept.

A stage that can go on from where another attempt got to begins with ``load``, asks ``due`` as often as it
likes (it costs a look at the clock) and hands everything that decides the rest of its work to ``save``. Then
its result is that of an uninterrupted run. A checkpoint is a help and never a condition: without one, or with
one that can not be used, the work begins at its beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

Write = Callable[[Path], None]
"""Writes the state of the work, as files of portable names, into the empty folder it is given."""


class Checkpoint(Protocol):
    """The state of unfinished work, of this attempt and of those before it."""

    def load(self) -> Path | None:
        """A folder as an earlier attempt's ``save`` wrote it, every byte verified; None where there is none.

        Only ever of the same stage, version, inputs and parameters.
        """

    def due(self, seconds: float) -> bool:
        """Whether to save now: the last save began ``seconds`` ago and is done, or the worker is stopping."""

    def save(self, write: Write) -> None:
        """Calls ``write`` and keeps what it wrote. Returns before that is stored; a failure is only logged.

        Raises:
            Preempted: The worker is stopping; the state is stored by now, unless that failed.
        """


class _NoCheckpoint:
    def load(self) -> Path | None:
        """See ``Checkpoint.load``."""
        return None

    def due(self, seconds: float) -> bool:
        """See ``Checkpoint.due``."""
        return False

    def save(self, write: Write) -> None:
        """See ``Checkpoint.save``."""


NO_CHECKPOINT: Checkpoint = _NoCheckpoint()
"""Keeps nothing: for work that is run without a store."""
