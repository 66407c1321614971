"""Live artifacts in the object store: ``{output}.live/`` beside the output of the stage whose work it is.

They lie beside the output and not in it, for there the manifest names every file and its digest: an attempt
that was given up but still runs somewhere may put a picture at any time, and must not damage a finished
output by that. Stores and browsers are told to ask again each time (``Cache-Control: no-cache``), so a page
may poll one address; with its ETag that costs 304 and no bytes until there is a newer one.

One thread sends while the work goes on. What does not arrive soon is not worth having: each file is tried
once.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from splatworks_common.artifacts.settings import RetryPolicy
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import StageError

log = logging.getLogger(__name__)

CACHE_CONTROL = "no-cache"
"""May be kept, but not used without asking."""

LAST_SECONDS = 10.0
"""For so long ``discard`` waits for a file that is on its way."""


class StoredLiveArtifacts:
    """``LiveArtifacts`` in the object store. ``due``, ``put`` and ``discard`` are one thread's.

    Args:
        store: The store.
        output: The prefix of the stage's output.
        clock: Seconds.

    Attributes:
        uri: The prefix of the live artifacts.
    """

    def __init__(
        self, store: ArtifactStore, output: S3Uri, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.uri = live_uri(output)
        self._store = store
        self._impatient = ArtifactStore(replace(store.settings, retry=RetryPolicy(attempts=1)), parallel=1)
        self._clock = clock
        self._last = -math.inf
        self._lock = threading.Lock()
        self._waiting: dict[S3Uri, bytes] = {}
        self._sender: threading.Thread | None = None
        self._arrives = True

    def due(self, seconds: float) -> bool:
        """See ``LiveArtifacts.due``."""
        with self._lock:
            sending = self._sender is not None
        return not sending and self._clock() - self._last >= seconds

    def put(self, name: str, data: bytes) -> None:
        """See ``LiveArtifacts.put``."""
        uri = self.uri / name
        self._last = self._clock()
        with self._lock:
            self._waiting[uri] = data
            if self._sender is None:
                # A daemon: a worker that is told to stop does not wait for a picture.
                sender = threading.Thread(target=self._send_all, name="live artifacts", daemon=True)
                sender.start()
                self._sender = sender

    def discard(self) -> None:
        """Deletes everything, once the output is finished. A failure is only logged.

        A file that takes a slow store longer than ``LAST_SECONDS`` may stay behind: a finished output does
        not wait for it.
        """
        with self._lock:
            self._waiting.clear()
            sender = self._sender
        if sender is not None:
            sender.join(LAST_SECONDS)
        try:
            self._store.delete_prefix(self.uri)
        except StageError as error:
            log.warning("the live artifacts at %s could not be deleted: %s", self.uri, error)

    def close(self) -> None:
        """Closes the connections, however the work has ended."""
        self._impatient.close()

    def _send_all(self) -> None:
        while (file := self._next()) is not None:
            self._send(*file)

    def _next(self) -> tuple[S3Uri, bytes] | None:
        """What to send now; None, in the same moment, where the sender is no longer needed."""
        with self._lock:
            if not self._waiting:
                self._sender = None
                return None
            return self._waiting.popitem()

    def _send(self, uri: S3Uri, data: bytes) -> None:
        try:
            self._impatient.put_bytes(uri, data, cache_control=CACHE_CONTROL)
            self._arrives = True
        except Exception as error:  # whatever it is: it must end neither the work nor the pictures to come
            if self._arrives:  # once for a store that is away, not every few seconds
                unforeseen = None if isinstance(error, StageError) else error
                log.warning("%s can not be shown, the work goes on: %s", uri, error, exc_info=unforeseen)
            self._arrives = False


def live_uri(output: S3Uri) -> S3Uri:
    """The prefix of the live artifacts of the stage whose output is at ``output``."""
    return S3Uri(output.bucket, f"{output.key}.live")
