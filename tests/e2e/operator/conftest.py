"""Runs of the real ``splatworks`` command on a capture small enough to be quick."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

COMMAND = [sys.executable, "-m", "splatworks_operator"]
PHOTOS = 14
LONGEST_SIDE = 640


class Run:
    """One running ``splatworks run`` and what it has printed so far."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "run", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def wait_for(self, part: str, seconds: float = 240) -> None:
        """Returns once ``part`` was printed."""
        self._poll(lambda: part in self.text, f"{part!r} was not printed", seconds)

    def child_of(self, service: str, seconds: float = 240) -> psutil.Process:
        """The process that does the work of a service, once there is one."""
        found: list[psutil.Process] = []

        def look() -> bool:
            for process in self.tree():
                with contextlib.suppress(psutil.Error):
                    parent = process.parent()
                    if (
                        parent is not None
                        and f"splatworks_{service}.server" in parent.cmdline()
                        and "splatworks_common.operations.child_main" in process.cmdline()
                    ):
                        found.append(process)
            return bool(found)

        self._poll(look, f"no work of {service} was seen", seconds)
        return found[0]

    def service(self, service: str) -> psutil.Process:
        """The process of a service."""
        for process in self.tree():
            with contextlib.suppress(psutil.Error):
                if f"splatworks_{service}.server" in process.cmdline():
                    return process
        raise AssertionError(f"the {service} service does not run:\n{self.text}")

    def viewer_url(self) -> str:
        """The address that was printed."""
        line = next(line for line in self.lines if line.startswith("Viewer:"))
        return next(word for word in line.split() if word.startswith("http"))

    def tree(self) -> list[psutil.Process]:
        """Every process that this run has started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def finish(self, seconds: float = 280) -> int:
        """The exit code."""
        code = self.process.wait(seconds)
        self._reader.join(30)
        return code

    def close(self) -> None:
        """Ends the run as Ctrl-C would, and if need be by force."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(30)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _poll(self, look: Callable[[], bool], complaint: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not look():
            assert self.process.poll() is None or look(), f"{complaint}; the run ended:\n{self.text}"
            assert time.monotonic() < deadline, f"{complaint} within {seconds} s:\n{self.text}"
            time.sleep(0.02)


@pytest.fixture
def start() -> Iterator[Callable[..., Run]]:
    """Starts runs and sees to it that they end."""
    runs: list[Run] = []

    def go(*arguments: str | Path) -> Run:
        runs.append(Run(*map(str, arguments)))
        return runs[-1]

    yield go
    for run in runs:
        run.close()


@pytest.fixture(scope="session")
def small_photos(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Neighbouring photos of the sample capture, reduced."""
    folder = tmp_path_factory.mktemp("capture") / "courtyard"
    folder.mkdir()
    for path in sorted((repository / "examples" / "capture").glob("*.jpg"))[:PHOTOS]:
        with Image.open(path) as photo:
            photo.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            photo.save(folder / path.name, quality=92)
    return folder


def eventually_gone(processes: list[psutil.Process], seconds: float = 15) -> list[psutil.Process]:
    """Those of the processes that still run after ``seconds``."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
