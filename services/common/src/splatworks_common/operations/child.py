"""The parent's side of the process that does an operation's work.

The child is a fresh interpreter (never a fork of a gRPC server) in a process group of its own. It gets its
job on stdin, which stays open: a line ``STOP`` asks it to save its state and end, and when the parent dies,
however, the child sees the end of the file and kills its group, so no work outlives its server. Messages come
back over a pipe, one JSON object a line; what the child and its libraries print is handed on line by line;
the last lines explain a crash.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from splatworks_common import reasons
from splatworks_common.operations import oom
from splatworks_common.progress import Update

STOP = b"stop"
"""What the parent says when the worker is stopping."""

_LINE_LIMIT = 64 * 1024 * 1024
"""Longest message a child may send; a result that lists 100,000 artifacts stays well below."""

_TERM_SECONDS = 0.7
"""How long a child may take to stop by itself before its process group is killed."""

_BLOCK_BYTES = 64 * 1024
_TAIL_BYTES = 2000
_OUT_OF_MEMORY_SIGNS = ("std::bad_alloc", "MemoryError", "Cannot allocate memory")


@dataclass(frozen=True)
class Job:
    """What a child is to do.

    Attributes:
        stage: The stage, as "module:attribute".
        request: The request message, serialized; it may hold keys, so it is not shown when printed.
        scratch: A directory of the child's own; the parent removes it afterwards.
        threads: How many threads the work may use.
        memory_limit_bytes: Most memory the child may allocate, or None.
        environment: Variables added to the child's environment: where the object store is, and its keys.
    """

    stage: str
    request: bytes = field(repr=False)
    scratch: Path
    threads: int
    memory_limit_bytes: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def to_json(self) -> bytes:
        """The job as the child reads it; the environment travels as the environment."""
        fields = {
            "stage": self.stage,
            "request": base64.b64encode(self.request).decode(),
            "scratch": str(self.scratch),
            "threads": self.threads,
            "memory_limit_bytes": self.memory_limit_bytes,
        }
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Job:
        """The inverse of ``to_json``."""
        fields = json.loads(line)
        return cls(
            **{**fields, "request": base64.b64decode(fields["request"]), "scratch": Path(fields["scratch"])}
        )


@dataclass(frozen=True)
class Response:
    """The stage's response message, as the value and type URL of a ``google.protobuf.Any``."""

    type_url: str
    value: bytes


OnOutput = Callable[[str], None]
"""Called with every line that the child or its libraries print."""


@dataclass
class Child:
    """One running child process. Iterate over ``updates()``, then ask for ``outcome()``."""

    process: asyncio.subprocess.Process
    _messages: asyncio.StreamReader
    _transport: asyncio.ReadTransport
    _output: asyncio.Task[str]
    _oom_kills_before: int
    _result: Response | reasons.StageError | None = field(default=None, init=False)
    _group_gone: bool = field(default=False, init=False)

    @classmethod
    async def start(cls, job: Job, on_output: OnOutput) -> Child:
        """Spawns the interpreter and hands it the job."""
        job.scratch.mkdir(parents=True, exist_ok=True)
        oom_kills_before = oom.kill_count()
        read_end, write_end = os.pipe()
        environment = {
            **os.environ,
            **job.environment,
            "SPLATWORKS_CHILD_PIPE": str(write_end),
            "OMP_NUM_THREADS": str(job.threads),
            "OPENBLAS_NUM_THREADS": str(job.threads),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(job.scratch),
        }
        with os.fdopen(read_end, "rb") as pipe:
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "splatworks_common.operations.child_main"),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    pass_fds=(write_end,),
                    start_new_session=True,
                    env=environment,
                )
            finally:
                os.close(write_end)
            messages = asyncio.StreamReader(limit=_LINE_LIMIT)
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(messages), os.fdopen(os.dup(pipe.fileno()), "rb")
            )
        assert process.stdin is not None
        assert process.stdout is not None
        output = asyncio.create_task(_read_output(process.stdout, on_output))
        with contextlib.suppress(ConnectionError):  # a child killed this early is judged by its exit status
            process.stdin.write(job.to_json())
            await process.stdin.drain()
        return cls(process, messages, transport, output, oom_kills_before)

    async def updates(self) -> AsyncIterator[Update]:
        """The child's progress, until it has nothing more to say."""
        while line := await self._messages.readline():
            if not line.endswith(b"\n"):
                break  # killed in the middle of a message
            message = json.loads(line)
            if "update" in message:
                yield Update(**message["update"])
            elif "response" in message:
                self._result = Response(message["type_url"], base64.b64decode(message["response"]))
            else:
                error_type = reasons.ERROR_BY_REASON[reasons.Reason(message["reason"])]
                self._result = error_type(message["message"])

    async def outcome(self) -> Response:
        """The stage's response, once the process has ended.

        Raises:
            StageError: What the stage raised, or the reason of a crash.
        """
        # The child holds its end of the pipe until it exits, so it is gone; what it may have left behind
        # is not, and would keep its output open.
        self._kill_group(signal.SIGKILL)
        returncode = await self._ended()
        tail = await self._output
        if isinstance(self._result, Response):
            return self._result
        raise self._result or self._crash(returncode, tail)

    def ask_to_stop(self) -> None:
        """Has work that can go on elsewhere save its state and end with ``Preempted``; other work goes on."""
        assert self.process.stdin is not None
        self.process.stdin.write(STOP + b"\n")

    async def stop(self) -> None:
        """Ends the whole process tree: politely, then by force. Returns when the process is gone."""
        if not self._group_gone:
            self._kill_group(signal.SIGTERM)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.process.wait(), _TERM_SECONDS)
            self._kill_group(signal.SIGKILL)
            await self._ended()
        await self._output
        self._transport.close()

    async def _ended(self) -> int:
        """The exit status, once the process is gone. Its number may be another process's from then on."""
        returncode = await self.process.wait()
        self._group_gone = True
        return returncode

    def _kill_group(self, signal_number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal_number)

    def _crash(self, returncode: int, tail: str) -> reasons.StageError:
        how = (
            f"was killed by {signal.Signals(-returncode).name}"
            if returncode < 0
            else f"exited with {returncode}"
        )
        killed_by_kernel = returncode == -signal.SIGKILL and oom.kill_count() > self._oom_kills_before
        if killed_by_kernel or any(sign in tail for sign in _OUT_OF_MEMORY_SIGNS):
            return reasons.OutOfMemory(
                f"The work's process {how}: out of memory. Give it more, or ask for less. {tail}"
            )
        return reasons.Internal(f"The work's process {how}. Its last words: {tail or '(none)'}")


async def _read_output(stream: asyncio.StreamReader, on_output: OnOutput) -> str:
    """Hands on every line until the stream ends; returns the last words."""
    tail, partial = b"", b""
    while block := await stream.read(_BLOCK_BYTES):
        tail = (tail + block)[-_TAIL_BYTES:]
        *lines, partial = (partial + block).split(b"\n")
        if len(partial) > _BLOCK_BYTES:  # a line without an end
            lines, partial = [*lines, partial], b""
        for line in lines:
            on_output(line.decode(errors="replace"))
    if partial:
        on_output(partial.decode(errors="replace"))
    return tail.decode(errors="replace").strip()
