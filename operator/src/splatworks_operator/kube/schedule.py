"""When a job must be looked at again although nothing happens to it: pure."""

from __future__ import annotations

from splatworks_operator.job import Job
from splatworks_operator.status import JobStatus, Phase, StageState

_QUEUE_SECONDS = 5.0
"""How often the first in the queue tells its place anew; the one at place n does it n times more rarely, so
that a long queue costs the API server no more writes than a short one."""


def seconds_until_next_look(job: Job, status: JobStatus, now: float, poll_seconds: float) -> float | None:
    """How long nothing needs to be done; None where only a change of the job can matter.

    Args:
        job: The job.
        status: Its status.
        now: Seconds since the epoch.
        poll_seconds: How often a running stage is looked at.
    """
    if status.phase.terminal:
        ttl = job.spec.ttl_seconds_after_finished
        moments = [] if ttl is None or status.completed is None else [status.completed + ttl - now]
    elif status.phase is Phase.SUSPENDED:
        moments = []
    else:
        moments = _moments(job, status, now, poll_seconds)
    return max(0.0, min(moments)) if moments else None


def _moments(job: Job, status: JobStatus, now: float, poll_seconds: float) -> list[float]:
    stage = status.current
    moments: list[float] = []
    if stage is not None and stage.state is StageState.RUNNING:
        moments.append(poll_seconds)
    else:
        moments.append(_QUEUE_SECONDS * (status.queue_position or 1))
        if stage is not None and stage.not_before > now:
            moments.append(stage.not_before - now)
        if job.spec.queue_deadline_seconds is not None and status.queued is not None:
            moments.append(status.queued + job.spec.queue_deadline_seconds - now)
    if job.spec.active_deadline_seconds is not None and status.started is not None:
        moments.append(status.started + job.spec.active_deadline_seconds - now)
    return moments
