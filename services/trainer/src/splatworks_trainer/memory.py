"""How much memory a training run needs, and whether that is there, asked before it starts.

A run that does not fit would be killed in its middle, without a word. In a container what counts is the limit
of the container, which the machine's free memory says nothing of.

``predicted_bytes`` and ``require_memory`` are arithmetic; ``available_bytes`` reads the system. The figures
are those of the native engine on two scenes, rounded up.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from splatworks_common.cameras import Camera
from splatworks_common.reasons import OutOfMemory
from splatworks_trainer.config import EngineName
from splatworks_trainer.dense import SIDE
from splatworks_trainer.views import CACHE_BYTES

_PROCESS = 160 << 20
"""The interpreter with all libraries, and the sparse model."""

_PER_GAUSSIAN = {EngineName.NATIVE: 1200 + 720 + 240, EngineName.GSPLAT: 720 + 240}
"""The native engine's parameters, moments, gradients and lists; the copy a checkpoint is written from; the
best model so far."""

_PER_GAUSSIAN_ON_GPU = 1800
"""gsplat's documentation tells 5.7 GB for runs that end with 3.24 million Gaussians, a mean over seven scenes
of Mip-NeRF 360; what photos take is in it. Not measured here."""

_PER_PHOTO = SIDE * SIDE * (3 + 8 + 1)
"""Before there are Gaussians: each photo as ``dense`` compares it, with depths, scores and mask."""

_PER_PIXEL = 40 + 120
"""Of the largest photo at the training size: the buffers of a step; the pictures of an evaluation."""

_PER_DECODED_PIXEL = 8
"""Of the largest photo in its file: decoded, converted, and its mask. At first each thread decodes one, later
one is decoded at a time."""

_PER_CACHED_PIXEL = 3 * 4 / 3
"""Of every photo at the training size: its colours, and the smaller sizes of it."""

_STEP = 1000
"""The number of Gaussians that would fit is rounded down to a multiple of this."""


def photo_cache_bytes(available: int) -> int:
    """How much memory decoded photos may use where so much is available; what is beyond is decoded again."""
    return min(CACHE_BYTES, available // 4)


def predicted_bytes(
    cameras: Sequence[Camera],
    gaussians: int,
    max_side: int,
    cache_bytes: int,
    threads: int,
    engine: EngineName = EngineName.NATIVE,
) -> int:
    """The most memory a run will use.

    Args:
        cameras: The cameras of all photos, at the size of their files.
        gaussians: The most Gaussians there will be.
        max_side: Longest side of a photo at the training size, pixels.
        cache_bytes: How much memory decoded photos may use.
        threads: How many photos are decoded at a time at first.
        engine: Not AUTO. What gsplat has on the GPU does not count here.
    """
    at_first, later = len(cameras) * _PER_PHOTO, gaussians * _PER_GAUSSIAN[engine]
    training = _without_gaussians(cameras, max_side, cache_bytes) + max(at_first, later)
    return max(_loading(cameras, max_side, cache_bytes, threads), training)


def require_memory(
    cameras: Sequence[Camera],
    gaussians: int,
    max_side: int,
    cache_bytes: int,
    threads: int,
    available: int,
    engine: EngineName = EngineName.NATIVE,
) -> None:
    """Checks that a run fits into ``available`` bytes; the other arguments are ``predicted_bytes``'.

    Raises:
        OutOfMemory: It does not; the message has the numbers, and how many Gaussians would fit.
    """
    needed = predicted_bytes(cameras, gaussians, max_side, cache_bytes, threads, engine)
    if needed <= available:
        return
    left = available - _without_gaussians(cameras, max_side, cache_bytes)
    most = left // _PER_GAUSSIAN[engine] // _STEP * _STEP
    if _loading(cameras, max_side, cache_bytes, threads) > available and left > 0:
        remedy = "no number of Gaussians fits: use fewer threads, or smaller photos"
    elif left < len(cameras) * _PER_PHOTO and left > 0:
        remedy = "no number of Gaussians fits: use fewer photos"
    elif most > 0:
        remedy = f"set max_gaussians to at most {most:,}"
    else:
        remedy = "no number of Gaussians fits: set a smaller max_image_side"
    raise OutOfMemory(
        f"training {gaussians:,} Gaussians on {len(cameras):,} photos of at most {max_side} pixels would "
        f"need {_megabytes(needed)}, and {_megabytes(available)} are available; {remedy}, or give the worker "
        "more memory"
    )


def require_gpu_memory(gaussians: int, available: int) -> None:
    """Checks that so many Gaussians fit into ``available`` bytes of a GPU.

    Raises:
        OutOfMemory: They do not; the message says how many do.
    """
    needed = gaussians * _PER_GAUSSIAN_ON_GPU
    if needed <= available:
        return
    most = available // _PER_GAUSSIAN_ON_GPU // _STEP * _STEP
    raise OutOfMemory(
        f"training {gaussians:,} Gaussians would need about {_megabytes(needed)} of the GPU's memory, and "
        f"{_megabytes(available)} are free; set max_gaussians to at most {most:,}, or use a larger GPU"
    )


def available_bytes(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """How much more memory this process may use.

    It is the least of what the machine, each of its cgroups and its own limit leave (RLIMIT_DATA, by which a
    worker bounds its children). Where the system does not tell what is free (macOS), all the machine has.

    Args:
        proc: Where procfs is mounted.
        cgroups: Where the cgroup file system, version 1 or 2, is mounted.
    """
    limits = [_machine_bytes(proc / "meminfo"), *_cgroup_bytes(proc / "self" / "cgroup", cgroups)]
    own, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if own != resource.RLIM_INFINITY:
        limits.append(own - 1024 * (_value(proc / "self" / "status", "VmData:") or 0))
    return max(0, min(limits))


def _loading(cameras: Sequence[Camera], max_side: int, cache_bytes: int, threads: int) -> int:
    """What is needed while all photos are decoded for the first time."""
    largest = max(camera.width * camera.height for camera in cameras)
    cached = min(cache_bytes, round(sum(_trained_pixels(cameras, max_side)) * _PER_CACHED_PIXEL))
    return _PROCESS + cached + min(threads, len(cameras)) * largest * _PER_DECODED_PIXEL


def _without_gaussians(cameras: Sequence[Camera], max_side: int, cache_bytes: int) -> int:
    """What is needed afterwards, beside the Gaussians."""
    largest = max(_trained_pixels(cameras, max_side))
    return _loading(cameras, max_side, cache_bytes, 1) + round(largest * _PER_PIXEL)


def _trained_pixels(cameras: Sequence[Camera], max_side: int) -> list[float]:
    """How many pixels each photo has at the training size."""
    return [
        camera.width * camera.height * min(1.0, max_side / max(camera.width, camera.height)) ** 2
        for camera in cameras
    ]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _machine_bytes(meminfo: Path) -> int:
    available = _value(meminfo, "MemAvailable:")
    if available is not None:
        return available * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cgroup_bytes(memberships: Path, root: Path) -> Iterator[int]:
    """What is left in each of this process's cgroups that has a limit.

    A line of ``memberships`` is "hierarchy:controllers:path"; version 2 has the one hierarchy 0. Inside a
    container the path may be the host's and not be there; its parents are, up to the root, which then is the
    container's own.
    """
    for line in _lines(memberships):
        hierarchy, controllers, path = line.split(":", 2)
        if hierarchy == "0":
            base, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        for folder in (group, *group.parents):
            left = _left(base / folder, *names)
            if left is not None:
                yield left


def _left(group: Path, limit: str, usage: str, inactive: str) -> int | None:
    """What is left in a cgroup; file pages nobody uses count as free, for the kernel drops them first."""
    most, used = (_number(group / name) for name in (limit, usage))
    if most is None or used is None:
        return None
    return most - used + (_value(group / "memory.stat", inactive) or 0)


def _number(path: Path) -> int | None:
    """The number in a file; none where there is no file, or it says "max"."""
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _value(path: Path, name: str) -> int | None:
    """The number after ``name`` in a file of lines "name number"."""
    for line in _lines(path):
        key, *values = line.split()
        if key == name:
            return int(values[0])
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
