"""Tasks that go on for as long as the operator acts, none of which may end unnoticed.

Each is meant to run until it is stopped, and deals itself with what it expects to fail. One that ends all the
same is a defect, and what it did is done by nobody from then on: it is logged, ``complaint`` says so, and
whatever runs ``during`` them is ended, so that the process ends and the kubelet starts it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class EndedByItself(Exception):
    """A task that was meant to go on has ended; why was logged."""


class Background:
    """The tasks. Belongs to one event loop; ``complaint`` may be called from any thread.

    Example:
        >>> background.start("discovery", discovery.run(api))
        >>> await background.during(discovery.synced.wait())
    """

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._complaint = ""

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Starts a task; its name is for people."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._note_end)
        self._tasks.append(task)

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` while all tasks go on.

        Raises:
            EndedByItself: One of them has ended; ``work`` was cancelled.
        """
        working = asyncio.create_task(work)
        try:
            await asyncio.wait({working, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            if any(task.done() for task in self._tasks):
                raise EndedByItself(self._complaint)
            return working.result()
        finally:
            await _end(working)

    async def stop(self) -> None:
        """Cancels all tasks; returns when they are gone."""
        self._stopping = True
        await _end(*self._tasks)

    def complaint(self) -> str:
        """Which task has ended, or ""."""
        return self._complaint

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if self._stopping:
            return
        self._complaint = f"{task.get_name()} ended by itself"
        log.critical("%s", self._complaint, exc_info=None if task.cancelled() else task.exception())


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
