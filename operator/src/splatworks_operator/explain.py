"""What a status says to people and to programs that watch it: message, conditions, result, events.

All of it follows from the stages and the phase; nothing here decides what happens next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from splatworks_operator.job import Job
from splatworks_operator.status import (
    Condition,
    ConditionType,
    JobResult,
    JobStatus,
    Phase,
    Progress,
    StageName,
    StageState,
    StageStatus,
)

_WORK = {
    StageName.SFM: "finding camera poses",
    StageName.TRAIN: "training the scene",
    StageName.COMPRESS: "compressing the scene",
    StageName.PUBLISH: "publishing the scene",
}
"""What each stage does, as a person would say it."""

_NO_PROGRESS = Progress()

_WRITE_SECONDS = 5.0
"""Progress alone is written no more often than this."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a job, as Kubernetes has events.

    Attributes:
        type: "Normal" or "Warning".
        reason: One word for programs.
        message: A sentence for people.
    """

    type: str
    reason: str
    message: str


def explained(job: Job, status: JobStatus, now: int, *, refused: str = "") -> JobStatus:
    """The status with its message, conditions and result as they follow from the rest of it."""
    status = replace(status, generation=job.generation, result=_result(job, status))
    return replace(status, message=_message(status, now)[:1024], conditions=_conditions(status, now, refused))


def events(old: JobStatus, new: JobStatus) -> list[Event]:
    """What happened between two statuses of a job: one event a transition, none for mere progress."""
    if new.phase is not old.phase and new.phase.terminal:
        kind = "Normal" if new.phase is Phase.SUCCEEDED else "Warning"
        return [Event(kind, new.phase.value, new.message)]
    if new.phase is Phase.SUSPENDED and old.phase is not Phase.SUSPENDED:
        return [Event("Normal", "Suspended", "The job was suspended; its worker is free.")]
    for before, after in zip(old.stages, new.stages, strict=True):
        if after.attempt > before.attempt and after.worker is not None:
            return [Event("Normal", "StageStarted", _started(old, new, after))]
        if after.state is StageState.PENDING and before.state is StageState.RUNNING:
            reason = f"{after.reason}: {after.message}"
            return [
                Event("Warning", "StageRetrying", f"{after.name}, attempt {after.attempt}: {reason}"[:1024])
            ]
    if new.phase is Phase.QUEUED and old.phase is not Phase.QUEUED:
        resumed = old.phase is Phase.SUSPENDED
        return [Event("Normal", "Resumed" if resumed else "Queued", new.message)]
    return []


def worth_writing(written: JobStatus, new: JobStatus, seconds: float) -> bool:
    """Whether ``new`` differs enough from what was ``written`` so many seconds ago.

    A transition is written at once. Progress alone is written at most every five seconds, and only where a
    percent was gained or another step began.
    """
    if written is new:
        return False
    if _position(written) != _position(new) or _without_progress(written) != _without_progress(new):
        return True
    return seconds >= _WRITE_SECONDS and _seen_progress(written) != _seen_progress(new)


def _position(status: JobStatus) -> tuple[object, ...]:
    """What most transitions change, and is compared at little cost."""
    return (status.phase, *((stage.state, stage.attempt) for stage in status.stages))


def _without_progress(status: JobStatus) -> JobStatus:
    quiet = tuple(
        stage if stage.progress == _NO_PROGRESS else replace(stage, progress=_NO_PROGRESS)
        for stage in status.stages
    )
    running = status.current is not None and status.current.state is StageState.RUNNING
    message = "" if running or status.queue_position is not None else status.message
    return replace(status, stages=quiet, message=message, queue_position=None)


def _seen_progress(status: JobStatus) -> tuple[object, ...]:
    stage = status.current
    progress = (int(stage.progress.percent), stage.progress.message) if stage is not None else ()
    return (status.queue_position, *progress)


def _started(old: JobStatus, new: JobStatus, stage: StageStatus) -> str:
    assert stage.worker is not None, "only called for a stage that was given a worker"
    finished = [
        f"{after.name} finished in {(after.ended or 0) - (after.started or 0)} s. "
        for before, after in zip(old.stages, new.stages, strict=True)
        if after.state is StageState.SUCCEEDED and before.state is not StageState.SUCCEEDED
    ]
    attempt = f", attempt {stage.attempt}" if stage.attempt > 1 else ""
    return f"{''.join(finished)}{stage.name} started on {stage.worker.name}{attempt}."


def _message(status: JobStatus, now: int) -> str:
    stage = status.current
    if status.phase is Phase.SUCCEEDED:
        where = status.result.viewer_url or status.result.uri
        return f"The scene is ready: {where}"
    if stage is None:
        return ""
    if status.phase is Phase.FAILED:
        what = f"{_WORK[stage.name].capitalize()} ended with" if stage.attempt else "Not started:"
        return f"{what} {stage.reason}: {stage.message}"
    if status.phase is Phase.SUSPENDED:
        return f"Suspended before {_WORK[stage.name]} was done"
    if stage.state is StageState.RUNNING:
        return _progress_line(stage)
    if stage.not_before > now:
        return f"Trying {_WORK[stage.name]} again after {stage.reason}: {stage.message}"
    ahead = f" ({status.queue_position - 1} ahead)" if status.queue_position else ""
    return f"Waiting for a worker for {_WORK[stage.name]}{ahead}"


def _progress_line(stage: StageStatus) -> str:
    progress = stage.progress
    if not progress.message:
        return f"Starting: {_WORK[stage.name]}"
    if not progress.unit:
        return progress.message
    return f"{progress.message}: {progress.done:,.0f} of {progress.total:,.0f} {progress.unit}"


def _conditions(status: JobStatus, now: int, refused: str) -> tuple[Condition, ...]:
    wanted: dict[ConditionType, tuple[bool, str, str]] = {
        ConditionType.ACCEPTED: (
            (False, "NotAllowed", refused) if refused else (True, "Valid", "The platform allows the spec.")
        )
    }
    admitted = status.condition(ConditionType.ADMITTED)
    if status.phase is Phase.RUNNING:
        wanted[ConditionType.ADMITTED] = (True, "WorkerFound", "The job was given a worker.")
    elif status.phase in (Phase.QUEUED, Phase.SUSPENDED):
        wanted[ConditionType.ADMITTED] = (False, status.phase.value, "The job has no worker yet.")
    if status.phase is Phase.SUSPENDED:
        wanted[ConditionType.SUSPENDED] = (True, "Suspended", "spec.suspend is true.")
    elif status.condition(ConditionType.SUSPENDED) is not None:
        wanted[ConditionType.SUSPENDED] = (False, "Resumed", "spec.suspend is false.")
    if status.phase is Phase.SUCCEEDED:
        wanted[ConditionType.COMPLETE] = (True, "AllStagesDone", status.message or "All stages are done.")
    failed = status.failure
    if status.phase is Phase.FAILED and failed is not None:
        wanted[ConditionType.FAILED] = (True, str(failed.reason), failed.message)
    if ConditionType.ADMITTED not in wanted and admitted is not None:
        wanted[ConditionType.ADMITTED] = (admitted.status, admitted.reason, admitted.message)
    return tuple(_condition(status, type, now, *wanted[type]) for type in ConditionType if type in wanted)


def _condition(
    status: JobStatus, type: ConditionType, now: int, holds: bool, reason: str, message: str
) -> Condition:
    before = status.condition(type)
    since = before.since if before is not None and before.status == holds else now
    return Condition(type, holds, reason, message[:1024], since, status.generation)


def _result(job: Job, status: JobStatus) -> JobResult:
    metrics: dict[StageName, Mapping[str, float]] = {stage.name: stage.metrics for stage in status.stages}
    sfm, train, compress = (metrics[name] for name in (StageName.SFM, StageName.TRAIN, StageName.COMPRESS))
    published = status.stage(StageName.PUBLISH).state is StageState.SUCCEEDED
    gaussians = compress.get("gaussians", train.get("gaussians"))
    return JobResult(
        uri=job.output_uri,
        viewer_url=f"{job.viewer_base_url.rstrip('/')}/s/{job.slug}/" if published else "",
        num_gaussians=_whole(gaussians),
        registered_images=_whole(sfm.get("registered_images")),
        total_images=_whole(sfm.get("total_images")),
        psnr=_rounded(train.get("psnr"), 2),
        ssim=_rounded(train.get("ssim"), 4),
        size_bytes=_whole(compress.get("size_bytes")),
        compression_ratio=_rounded(compress.get("ratio"), 1),
    )


def _whole(figure: float | None) -> int | None:
    return None if figure is None else int(figure)


def _rounded(figure: float | None, digits: int) -> float | None:
    """As many digits as a person compares; the stage's metrics keep them all."""
    return None if figure is None else round(figure, digits)
