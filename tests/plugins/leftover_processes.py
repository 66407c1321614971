"""Fails a run that leaves processes behind, and ends them.

Every process started below pytest inherits a marker in its environment, so one that was orphaned and given to
init is found as surely as a child.
"""

from __future__ import annotations

import os
import uuid

import psutil
import pytest

_MARKER = "SPLATWORKS_TEST_RUN"
_GRACE_SECONDS = 1.0
"""How long a process that was told to stop by the last test may take to be gone."""

_LEFTOVERS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEFTOVERS] = []
    os.environ[_MARKER] = uuid.uuid4().hex


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    _, left = psutil.wait_procs(_processes_of(os.environ[_MARKER]), timeout=_GRACE_SECONDS)
    for process in left:
        try:
            session.config.stash[_LEFTOVERS].append(f"{process.pid}  {' '.join(process.cmdline())}")
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=_GRACE_SECONDS)
    if session.config.stash[_LEFTOVERS] and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    leftovers = config.stash[_LEFTOVERS]
    if leftovers:
        terminalreporter.section("processes left running by the tests (ended now)", red=True)
        for leftover in leftovers:
            terminalreporter.line(leftover)


def _processes_of(run: str) -> set[psutil.Process]:
    """What runs below this process or carries the marker of ``run``, without multiprocessing's helper."""
    return {
        process
        for process in (*psutil.Process().children(recursive=True), *psutil.process_iter())
        if _belongs(process, run)
    }


def _belongs(process: psutil.Process, run: str) -> bool:
    try:
        is_child = process.ppid() == os.getpid()
        if is_child and "multiprocessing.resource_tracker" in " ".join(process.cmdline()):
            return False  # lives exactly as long as pytest itself
        return process.pid != os.getpid() and (is_child or process.environ().get(_MARKER) == run)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False  # gone meanwhile, or somebody else's
