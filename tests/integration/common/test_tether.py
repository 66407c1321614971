"""The tether: a command ends when its starter does, with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from splatworks_common import tether

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(100)"
PARENT_OF_ONE = """
import subprocess
child = subprocess.Popen(["sleep", "100"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Whatever a test puts in here is ended after it."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        with process:  # closes its pipes and waits
            process.kill()


def start(
    started: list[subprocess.Popen[bytes]], *arguments: str, grace: float = 5
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        tether.command(arguments, grace=grace),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    started.append(process)
    return process


def first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def child_of(process: subprocess.Popen[bytes]) -> psutil.Process:
    return psutil.Process(process.pid).children()[0]


def is_gone(process: psutil.Process) -> bool:
    """Waits until a process that need not be our child is gone (a zombie of nobody counts as gone)."""
    gone, _ = psutil.wait_procs([process], timeout=10)
    return bool(gone) or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_commands(started: list[subprocess.Popen[bytes]], code: int) -> None:
    assert start(started, sys.executable, "-c", f"raise SystemExit({code})").wait(20) == code


def test_a_signal_becomes_128_and_its_number(started: list[subprocess.Popen[bytes]]) -> None:
    assert start(started, "sh", "-c", "kill -9 $$").wait(20) == 128 + 9


def test_a_command_that_is_not_there_is_named(started: list[subprocess.Popen[bytes]]) -> None:
    process = start(started, "no-such-command")

    _, errors = process.communicate(timeout=20)

    assert process.returncode == 127
    assert b"no-such-command cannot be started" in errors


def test_the_end_of_stdin_ends_the_command(started: list[subprocess.Popen[bytes]]) -> None:
    process = start(started, "sh", "-c", "echo up; exec sleep 100")
    first_line(process)
    assert process.stdin is not None

    process.stdin.close()

    assert process.wait(20) == 128 + signal.SIGTERM


def test_sigterm_ends_the_command(started: list[subprocess.Popen[bytes]]) -> None:
    process = start(started, "sh", "-c", "echo up; exec sleep 100")
    first_line(process)

    process.terminate()

    assert process.wait(20) == 128 + signal.SIGTERM


def test_a_command_that_ignores_sigterm_is_killed(started: list[subprocess.Popen[bytes]]) -> None:
    process = start(started, sys.executable, "-c", STUBBORN, grace=0.2)
    first_line(process)

    process.terminate()

    assert process.wait(20) == 128 + signal.SIGKILL


@pytest.mark.parametrize("end", ["stdin", "exit of the command"])
def test_what_the_command_started_ends_with_it(started: list[subprocess.Popen[bytes]], end: str) -> None:
    process = start(started, sys.executable, "-c", PARENT_OF_ONE)
    grandchild = psutil.Process(int(first_line(process)))
    assert process.stdin is not None

    if end == "stdin":
        process.stdin.close()
    else:
        child_of(process).kill()

    assert is_gone(grandchild)


def test_ctrl_c_is_left_to_the_starter(started: list[subprocess.Popen[bytes]]) -> None:
    process = start(started, "sh", "-c", "echo up; sleep 0.3; exit 7")
    first_line(process)

    process.send_signal(signal.SIGINT)

    assert process.wait(20) == 7


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_command_does_not_outlive_a_killed_tether(started: list[subprocess.Popen[bytes]]) -> None:
    process = start(started, "sh", "-c", "echo up; exec sleep 100")
    first_line(process)
    command = child_of(process)

    process.kill()

    assert is_gone(command)


def test_the_command_does_not_outlive_a_killed_starter(tmp_path: Path) -> None:
    script = tmp_path / "starter.py"
    script.write_text(
        "import subprocess, sys, time\n"
        "from splatworks_common import tether\n"
        "command = ['sh', '-c', 'echo $$; exec sleep 100']\n"
        "subprocess.Popen(tether.command(command), stdin=subprocess.PIPE)\n"
        "time.sleep(100)\n"
    )
    starter = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    command = psutil.Process(int(first_line(starter)))

    os.kill(starter.pid, signal.SIGKILL)
    starter.communicate()

    assert is_gone(command)
