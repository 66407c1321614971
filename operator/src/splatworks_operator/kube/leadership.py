"""From waiting for the Lease to the end of the process: when this replica acts, and how it stops.

Where the Lease is lost, another replica may act from then on: the process ends at that very moment, whatever
its acting part is doing. In all other cases that part ends in order, and the Lease is given back.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from splatworks_operator.kube.lease import LeaseLock

log = logging.getLogger(__name__)

Act = Callable[[threading.Event], Coroutine[Any, Any, None]]
"""Acts, in an event loop and a thread of its own, until the event is set."""


class Outcome(enum.IntEnum):
    """How it ended; the value is the process's exit status."""

    STOPPED = 0
    """As it was told."""
    FAILED = 1
    """The acting part ended by itself."""
    LEASE_LOST = 3
    """Another replica may act now."""


async def lead(lease: LeaseLock, act: Act, stop: asyncio.Event) -> Outcome:
    """Waits for the Lease, and acts while it is held, until ``stop`` is set.

    Raises:
        Exception: Whatever ``act`` raises.
    """
    stopping = asyncio.create_task(stop.wait())
    try:
        if not await _leads(lease, stopping):
            return Outcome.STOPPED
        halt = threading.Event()
        acting = asyncio.create_task(asyncio.to_thread(asyncio.run, act(halt)))
        keeping = asyncio.create_task(lease.keep())
        await _first_of(stopping, acting, keeping)
        if stop.is_set():
            halt.set()
            await _first_of(acting, keeping)
        if not acting.done():
            _end_at_once(Outcome.LEASE_LOST)
        await _cancelled(keeping)
        await lease.release()
        acting.result()
        return Outcome.STOPPED if stop.is_set() else Outcome.FAILED
    finally:
        await _cancelled(stopping)


async def _leads(lease: LeaseLock, stopping: asyncio.Task[Any]) -> bool:
    """Waits for the Lease; False where it is told to stop first."""
    acquiring = asyncio.create_task(lease.acquire())
    await _first_of(stopping, acquiring)
    if acquiring.done():
        acquiring.result()
        return True
    await _cancelled(acquiring)
    return False


def _end_at_once(outcome: Outcome) -> NoReturn:
    log.critical("the Lease is lost; stopping at once")
    logging.shutdown()
    os._exit(outcome)


async def _first_of(*tasks: asyncio.Task[Any]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
