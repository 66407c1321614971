"""``splatworks get NAME``: all that a person may want to know of one job, on one page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from splatworks_operator.cluster.splatjob import SplatJob
from splatworks_operator.cluster.table import age, columns
from splatworks_operator.display import describe, result
from splatworks_operator.status import JobResult, JobStatus, Phase, StageState, StageStatus

_MOST_EVENTS = 10


def page(job: SplatJob, events: Sequence[Mapping[str, Any]] | None) -> str:
    """The page.

    Args:
        job: The job.
        events: What happened to it, oldest first; None where one may not see it.
    """
    sections = [_head(job), _stages(job.status), _result(job.status.result), _outputs(job.status)]
    sections.append(_events(events))
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _head(job: SplatJob) -> list[str]:
    now, status, spec = time.time(), job.status, job.spec
    phase = f"{status.phase}, {status.percent} %" if status.phase is Phase.RUNNING else str(status.phase)
    rows = [
        ("Name", job.name),
        ("Namespace", job.namespace),
        ("Phase", phase),
        ("", status.message or ("" if job.resource.get("status") else "The operator has not seen it yet.")),
        ("Photos", spec["source"]["uri"]),
        ("Profile", spec.get("profile", "")),
        ("Priority", str(spec.get("priority") or "")),
        ("Created", f"{_moment(job.created)} ({age(now - job.created)} ago)"),
        ("Ran", "" if status.started is None else age((status.completed or now) - status.started)),
    ]
    return _fields(rows)


def _stages(status: JobStatus) -> list[str]:
    rows = [("STAGE", "STATE", "ATTEMPT", "TIME", "WORKER", "DETAILS")]
    rows += [
        (
            stage.name.value,
            stage.state.value,
            str(stage.attempt or "-"),
            _time(stage),
            stage.worker.name if stage.worker is not None else "-",
            _details(stage),
        )
        for stage in status.stages
    ]
    return columns(rows)


def _time(stage: StageStatus) -> str:
    if stage.started is None:
        return "-"
    running = stage.state is StageState.RUNNING
    end = time.time() if running else stage.ended
    return "-" if end is None else age(end - stage.started)


def _details(stage: StageStatus) -> str:
    if stage.state is StageState.RUNNING:
        return f"{stage.progress.percent:.0f} %, {describe(stage)}"
    if stage.state is StageState.SUCCEEDED:
        return f"{'reused: ' if stage.cached else ''}{result(stage)}"
    return f"{stage.reason}: {stage.message}" if stage.reason is not None else ""


def _result(found: JobResult) -> list[str]:
    photos = found.registered_images
    rows = [
        ("Files", found.uri),
        ("Viewer", found.viewer_url),
        ("Photos", "" if photos is None else f"{photos} of {found.total_images} registered"),
        ("Gaussians", "" if found.num_gaussians is None else f"{found.num_gaussians:,}"),
        ("PSNR", "" if found.psnr is None else f"{found.psnr:.2f} dB held out"),
        ("SSIM", "" if found.ssim is None else f"{found.ssim:.3f}"),
        ("Size", "" if found.size_bytes is None else f"{found.size_bytes / 1e6:.2f} MB"),
        ("Ratio", "" if found.compression_ratio is None else f"{found.compression_ratio:.1f} times smaller"),
    ]
    return _fields(rows)


def _outputs(status: JobStatus) -> list[str]:
    rows = [
        (stage.name.value, output.name, f"{output.size_bytes / 1e6:,.2f} MB", output.media_type)
        for stage in status.stages
        for output in stage.outputs
    ]
    return columns([("OUTPUT OF", "FILE", "SIZE", "TYPE"), *rows]) if rows else []


def _events(events: Sequence[Mapping[str, Any]] | None) -> list[str]:
    if events is None:
        return ["Events: you may not see them."]
    rows = [
        (
            _since(event),
            str(event.get("type", "")),
            str(event.get("reason", "")),
            str(event.get("message", "")),
        )
        for event in events[-_MOST_EVENTS:]
    ]
    return columns([("EVENT", "TYPE", "REASON", "MESSAGE"), *rows]) if rows else []


def _since(event: Mapping[str, Any]) -> str:
    moment = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return f"{age(time.time() - datetime.fromisoformat(moment).timestamp())} ago"


def _fields(rows: Iterable[tuple[str, str]]) -> list[str]:
    known = [(f"{name}:" if name else "", value) for name, value in rows if value]
    return columns(known) if known else []


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
