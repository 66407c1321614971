"""Runs a command that must not outlive whoever started it.

``python -m splatworks_common.tether -- CMD...`` runs CMD in its own process group and ends the whole group,
with SIGTERM and then SIGKILL, as soon as the tether's stdin reaches its end or the tether gets SIGTERM. The
starter keeps the other end of that stdin pipe open and never writes: however it dies, the kernel closes the
pipe. Should the tether itself be killed, the kernel kills CMD (Linux; elsewhere CMD is left).

SIGINT is ignored: a Ctrl-C reaches every process of the terminal, and it is the starter who decides what it
means. The exit code is CMD's, or 128 + the number of the signal that ended it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

DEFAULT_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

_PR_SET_PDEATHSIG = 1


def command(arguments: Sequence[str], *, grace: float = DEFAULT_GRACE) -> list[str]:
    """The command line that runs ``arguments`` on a tether.

    Start it with ``stdin=subprocess.PIPE`` and keep that pipe open for as long as the command may live.

    Example:
        >>> process = subprocess.Popen(command(["weed", "mini"]), stdin=subprocess.PIPE)
    """
    return [sys.executable, "-m", "splatworks_common.tether", "--grace", str(grace), "--", *arguments]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m splatworks_common.tether", description=_first_line())
    parser.add_argument("--grace", type=float, default=DEFAULT_GRACE, help="seconds from SIGTERM to SIGKILL")
    parser.add_argument("command", nargs="+", metavar="CMD", help="the command and its arguments, after --")
    options = parser.parse_args(arguments)
    return run(options.command, grace=options.grace)


def run(arguments: Sequence[str], *, grace: float) -> int:
    """Runs a command until it ends, stdin ends or SIGTERM comes; see the module.

    Args:
        arguments: The command.
        grace: Seconds between SIGTERM and SIGKILL.

    Returns:
        The command's exit code, or 128 + the signal that ended it.
    """
    # A signal writes its number into the pipe, so that one poll waits for stdin and signals alike.
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    os.set_blocking(read_end, False)
    signal.set_wakeup_fd(write_end)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, process_group=0, preexec_fn=_prepare_child
        )
    except OSError as error:
        print(f"tether: {arguments[0]} cannot be started: {error.strerror}", file=sys.stderr)
        return 127
    _wait_for_end(process.pid, read_end)
    return _end_group(process, grace)


def _wait_for_end(pid: int, signals: int) -> None:
    """Returns when the child has exited, stdin is at its end or SIGTERM has come."""
    poll = select.poll()
    poll.register(sys.stdin.fileno(), select.POLLIN)
    poll.register(signals, select.POLLIN)
    while not _has_exited(pid):
        for descriptor, _ in poll.poll():
            if descriptor == signals:
                if signal.SIGTERM in os.read(signals, 64):
                    return
            elif not os.read(descriptor, 4096):
                return


def _end_group(process: subprocess.Popen[bytes], grace: float) -> int:
    """Ends what is left of the child's group and returns the child's exit code.

    The child is not reaped before the group is dead: until then its process id, which names the group,
    cannot be given to anybody else.
    """
    if not _has_exited(process.pid):
        os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while not _has_exited(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    return code if code >= 0 else 128 - code


def _has_exited(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _prepare_child() -> None:
    """Runs in the child before the command: default signals, and death when the tether dies."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _first_line() -> str:
    return (__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
