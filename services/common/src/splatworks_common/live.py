"""How unfinished work shows itself: pictures and the like that are out of date by the next one.

A stage that has something to show asks ``due`` as often as it likes (it costs a look at the clock) and hands
what it shows to ``put``. Nothing here is a result: what is put is not among the stage's artifacts, changes
nothing about them, is gone once the stage has finished, and may never arrive at all.
"""

from __future__ import annotations

from typing import Protocol


class LiveArtifacts(Protocol):
    """Files that are looked at while the work goes on, each written over by the next of its name."""

    def due(self, seconds: float) -> bool:
        """Whether to put something now: never yet, or the last ``put`` was ``seconds`` ago and is done."""

    def put(self, name: str, data: bytes) -> None:
        """Shows ``data`` as ``name`` and returns at once; a failure is only logged.

        Args:
            name: A portable file name; its ending decides the media type.
            data: The whole file. Of two that wait to be sent under one name only the newer is.

        Raises:
            InputInvalid: The name is not portable.
        """


class _NothingLive:
    def due(self, seconds: float) -> bool:
        """See ``LiveArtifacts.due``."""
        return False

    def put(self, name: str, data: bytes) -> None:
        """See ``LiveArtifacts.put``."""


NOTHING_LIVE: LiveArtifacts = _NothingLive()
"""Shows nothing and never asks for anything: for work that is run without a store."""
