"""SplatJobs as lines of text, in the columns that people know from kubectl."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from splatworks_operator.cluster.splatjob import SplatJob

_GAP = "   "


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def job_table(jobs: Iterable[SplatJob], *, wide: bool = False, namespaces: bool = False) -> list[str]:
    """A heading and a line for each job.

    Args:
        jobs: The jobs, in order.
        wide: With the columns that fewer people need.
        namespaces: With the namespace of each.
    """
    heading = ["NAME", "PHASE", "STAGE", "PROGRESS", "PSNR", "IMAGES", "AGE"]
    more = ["RATIO", "SIZE", "REASON", "VIEWER"] if wide else []
    first = ["NAMESPACE"] if namespaces else []
    rows = [
        [*([job.namespace] if namespaces else []), *_cells(job), *(_wide_cells(job) if wide else [])]
        for job in jobs
    ]
    return columns([first + heading + more, *rows])


def age(seconds: float) -> str:
    """A length of time as kubectl shows it.

    Example:
        >>> age(192)
        '3m12s'
    """
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 10:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if days < 2 else f"{days}d"


def _cells(job: SplatJob) -> list[str]:
    """Read from the resource as it is: one odd job does not spoil the list."""
    status: Mapping[str, Any] = job.resource.get("status") or {}
    found: Mapping[str, Any] = status.get("result") or {}
    return [
        job.name,
        status.get("phase", "Pending"),
        status.get("currentStage", "-"),
        f"{status.get('progressPercent', 0)} %",
        _rounded(found.get("psnr"), 2),
        f"{found['registeredImages']}/{found.get('totalImages', '?')}"
        if "registeredImages" in found
        else "-",
        age(time.time() - job.created),
    ]


def _wide_cells(job: SplatJob) -> list[str]:
    status: Mapping[str, Any] = job.resource.get("status") or {}
    found: Mapping[str, Any] = status.get("result") or {}
    failed = (entry for entry in status.get("conditions", ()) if entry["type"] == "Failed")
    return [
        _rounded(found.get("compressionRatio"), 1),
        f"{found['sizeBytes'] / 1e6:.2f} MB" if "sizeBytes" in found else "-",
        next((str(entry["reason"]) for entry in failed if entry["status"] == "True"), "-"),
        found.get("viewerURL") or "-",
    ]


def _rounded(figure: str | None, digits: int) -> str:
    return "-" if figure is None else f"{float(figure):.{digits}f}"
