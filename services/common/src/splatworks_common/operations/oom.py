"""Tells whether the kernel killed a process for want of memory.

An out-of-memory kill looks like any other SIGKILL, so the kernel's own counters are compared before and
after: the cgroup's where there is one (containers), the machine's otherwise.
"""

from __future__ import annotations

from pathlib import Path

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_VMSTAT = Path("/proc/vmstat")


def kill_count() -> int:
    """How many processes the kernel has killed for want of memory: in this cgroup, else on this machine.

    0 where the system keeps no such count (not Linux), so that a comparison never blames memory there.
    """
    for path in (*_cgroup_events(), _VMSTAT):
        count = _counter(path, "oom_kill")
        if count is not None:
            return count
    return 0


def _cgroup_events() -> list[Path]:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    # cgroup v2 has the single line "0::/path"; the root group has no memory.events and falls through to
    # vmstat.
    paths = [line.removeprefix("0::") for line in lines if line.startswith("0::")]
    return [_CGROUP_ROOT / path.lstrip("/") / "memory.events" for path in paths]


def _counter(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return None
