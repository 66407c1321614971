"""The process that does one operation's work: ``python -m splatworks_common.operations.child_main``.

Runs the stage of the ``Job`` that stdin begins with, and sends updates and the one result as JSON lines to
the pipe that the parent names in the environment. A second line on stdin says that the worker is stopping.
Lives no longer than the parent: at the end of stdin it kills its process group.
"""

from __future__ import annotations

import base64
import json
import os
import pkgutil
import queue
import resource
import signal
import sys
import threading
import time
from dataclasses import asdict
from typing import Any, BinaryIO

from splatworks_common import reasons, stages
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.operations.child import STOP, Job
from splatworks_common.progress import Update

_BLOCK_BYTES = 64 * 1024
_UPDATE_SECONDS = 0.1
"""Updates of the same step closer together than this are dropped: nobody can read them."""


def main() -> None:
    """Runs the job on stdin to its end."""
    pipe = os.fdopen(int(os.environ.pop("SPLATWORKS_CHILD_PIPE")), "wb", buffering=0)
    parent = _Parent()
    job = parent.job()
    if job.memory_limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (job.memory_limit_bytes, job.memory_limit_bytes))
    try:
        stage: stages.Stage[Any] = pkgutil.resolve_name(job.stage)
        request = stage.request_type.FromString(job.request)
        store = ArtifactStore(StoreSettings.from_environment())
        response = stages.execute(
            stage,
            request,
            store,
            scratch=job.scratch,
            threads=job.threads,
            report=_Reporter(pipe),
            stopping=parent.stopping,
        )
    except reasons.StageError as error:
        _send(pipe, {"reason": error.reason, "message": str(error)})
    except MemoryError as error:
        _send(pipe, {"reason": reasons.Reason.OUT_OF_MEMORY, "message": f"Out of memory: {error}"})
    else:
        type_url = f"type.googleapis.com/{response.DESCRIPTOR.full_name}"
        value = base64.b64encode(response.SerializeToString()).decode()
        _send(pipe, {"type_url": type_url, "response": value})
    # Leave without waiting for native threads that a library may have left running.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class _Reporter:
    """Sends updates to the parent: the first and last of a step always, those between at a readable rate."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._step = ""
        self._sent = 0.0

    def __call__(self, update: Update) -> None:
        now = time.monotonic()
        edge = update.step != self._step or update.done >= update.total
        if edge or now - self._sent >= _UPDATE_SECONDS:
            self._step, self._sent = update.step, now
            _send(self._pipe, {"update": asdict(update)})


def _send(pipe: BinaryIO, message: object) -> None:
    line = memoryview(json.dumps(message).encode() + b"\n")
    while line:  # a raw pipe may take only part of a large message
        line = line[pipe.write(line) :]


class _Parent:
    """What the parent says on stdin, read by a thread of its own to the end: the parent's, and so this one's.

    Attributes:
        stopping: Set once the worker is stopping.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._job: queue.SimpleQueue[Job] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def job(self) -> Job:
        """The job; waits for it."""
        return self._job.get()

    def _listen(self) -> None:
        # Not through sys.stdin: its lock, held by a thread, would abort the interpreter's exit.
        received, lines = b"", 0
        while block := os.read(sys.stdin.fileno(), _BLOCK_BYTES):
            *whole, received = (received + block).split(b"\n")
            for line in whole:
                lines += 1
                if lines == 1:
                    self._job.put(Job.from_json(line))
                elif line == STOP:
                    self.stopping.set()
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
