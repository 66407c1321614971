"""The pipeline's logic, written once and pure: ``reconcile`` looks at a job and says what to do next.

No clock, no network, no process is touched here. A driver observes the job's current stage, calls
``reconcile``, carries out the actions and calls again; it may be killed at any point and go on from the last
status it wrote. It carries out ``Cancel`` before it writes the new status and ``Start`` after: then whatever
is lost between the two is decided again, and decided alike. Decisions rest on state, never on having seen an
event.

Invariants: stages run in order, one at a time; a finished stage never runs again; a request id belongs to
one attempt on one worker; counted and uncounted attempts never exceed the policy; percent never goes back
within an attempt; a terminal phase never leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from splatworks_common.reasons import UNCOUNTED, Reason
from splatworks_operator.explain import explained
from splatworks_operator.job import Job
from splatworks_operator.spec import FailureAction, Keep
from splatworks_operator.status import (
    Artifact,
    JobStatus,
    Phase,
    Progress,
    StageName,
    StageState,
    StageStatus,
    WorkerRef,
)

_BUSY_SECONDS = 5
"""How long a stage waits after a worker has refused it for want of a slot."""

_LOST: frozenset[Reason] = UNCOUNTED | {Reason.CANCELLED}
"""Reasons that use up none of the policy's attempts. An attempt ends as cancelled where a driver died between
cancelling it and writing so, and the job was resumed in the meantime."""

_RETRIED: frozenset[Reason] = _LOST | {Reason.INTERNAL, Reason.OUT_OF_MEMORY}
"""Reasons after which another attempt may end better. The others would only repeat themselves."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended without a result."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Result:
    """What a finished stage gave.

    Attributes:
        cached: True where a finished result was reused.
        metrics: Its figures.
        input_digest: What it was made from.
        outputs: Its main files.
    """

    cached: bool
    metrics: Mapping[str, float]
    input_digest: str = ""
    outputs: tuple[Artifact, ...] = ()


@dataclass(frozen=True)
class Observation:
    """What a driver sees of a job right now. At most one of the last four is set.

    Attributes:
        refused: Why the platform does not allow the spec; "" where it does.
        offer: A worker with a free slot for the current stage, reserved for it.
        queue_position: Where the current stage stands among those that wait for a worker; 1 is next.
        progress: The current attempt is running.
        failure: It ended without a result.
        result: It succeeded, as its operation says, or as the manifest says where the operation is gone.
        lost: Why the attempt's worker or operation is gone; no manifest shows a result.
    """

    refused: str = ""
    offer: WorkerRef | None = None
    queue_position: int | None = None
    progress: Progress | None = None
    failure: Failure | None = None
    result: Result | None = None
    lost: str = ""


@dataclass(frozen=True)
class Start:
    """An action: start the stage's attempt on the worker, or find it where it was started before."""

    stage: StageName
    request_id: str
    worker: WorkerRef


@dataclass(frozen=True)
class Cancel:
    """An action: end the operation, and return when its processes are gone or its worker is."""

    stage: StageName
    operation: str
    worker: WorkerRef


@dataclass(frozen=True)
class DeleteIntermediates:
    """An action: delete what only later stages needed."""


@dataclass(frozen=True)
class DeleteJob:
    """An action: delete the job itself; its time is over."""


@dataclass(frozen=True)
class DeleteArtifacts:
    """An action: take the scene off the web and delete all of the job's files; never its source."""


Action = Start | Cancel | DeleteIntermediates | DeleteArtifacts | DeleteJob

_NOTHING = Observation()


def reconcile(
    job: Job, status: JobStatus, observed: Observation = _NOTHING, now: int = 0
) -> tuple[JobStatus, list[Action]]:
    """One step of a job.

    Args:
        job: What is asked for.
        status: What is known.
        observed: What the driver sees right now.
        now: Seconds since the epoch.

    Returns:
        The new status, and the actions to carry out.
    """
    if status.phase.terminal:
        return status, _after_the_end(job, status, now)
    next_status, actions = _decide(job, status, observed, now)
    if next_status.phase is Phase.SUCCEEDED and job.spec.artifact_policy.intermediates is Keep.DELETE:
        actions = [*actions, DeleteIntermediates()]
    return explained(job, next_status, now, refused=observed.refused), actions


def delete(job: Job, status: JobStatus) -> list[Action]:
    """What is left to do, in this order, before a deleted job may go."""
    _, actions = _stopped(status)
    began = any(stage.attempt for stage in status.stages)
    if began and job.spec.artifact_policy.on_delete is Keep.DELETE:
        return [*actions, DeleteArtifacts()]
    return actions  # a job that never began has no files, and perhaps no right to look for them


def _after_the_end(job: Job, status: JobStatus, now: int) -> list[Action]:
    ttl = job.spec.ttl_seconds_after_finished
    over = ttl is not None and status.completed is not None and now >= status.completed + ttl
    return [DeleteJob()] if over else []


def _decide(job: Job, status: JobStatus, observed: Observation, now: int) -> tuple[JobStatus, list[Action]]:
    spec = job.spec
    if observed.refused:
        return _end(status, Failure(Reason.INPUT_INVALID, observed.refused), now)
    if spec.terminate:
        return _end(status, Failure(Reason.CANCELLED, "The job was terminated."), now)
    deadline = spec.active_deadline_seconds
    if deadline is not None and status.started is not None and now >= status.started + deadline:
        message = f"The job ran longer than its activeDeadlineSeconds, {deadline} s."
        return _end(status, Failure(Reason.DEADLINE_EXCEEDED, message), now)
    if spec.suspend:
        return _suspend(status, now)
    status = _skip(job, status)
    if status.phase in (Phase.PENDING, Phase.SUSPENDED):
        status = replace(status, phase=Phase.QUEUED, queued=now)
    stage = status.current
    if stage is None:
        return _succeed(status, now), []
    if stage.state is StageState.RUNNING:
        return _watch(job, status, stage, observed, now)
    return _begin(job, status, stage, observed, now)


def _begin(
    job: Job, status: JobStatus, stage: StageStatus, observed: Observation, now: int
) -> tuple[JobStatus, list[Action]]:
    """The current stage waits: for its next attempt's time, or for a worker."""
    deadline = job.spec.queue_deadline_seconds
    if deadline is not None and status.queued is not None and now >= status.queued + deadline:
        message = f"No worker was free within queueDeadlineSeconds, {deadline} s."
        return _end(status, Failure(Reason.QUEUE_DEADLINE_EXCEEDED, message), now)
    if now < stage.not_before or observed.offer is None:
        return replace(status, queue_position=observed.queue_position), []
    started = replace(
        stage,
        state=StageState.RUNNING,
        attempt=stage.attempt + 1,
        worker=observed.offer,
        started=now,
        progress=Progress(),
    )
    started = replace(started, operation=f"operations/{job.request_id(started)}")
    status = replace(
        status.with_stage(started),
        phase=Phase.RUNNING,
        queue_position=None,
        queued=None,
        started=now if status.started is None else status.started,
    )
    return status, [Start(stage.name, job.request_id(started), observed.offer)]


def _watch(
    job: Job, status: JobStatus, stage: StageStatus, observed: Observation, now: int
) -> tuple[JobStatus, list[Action]]:
    """The current stage runs."""
    assert stage.worker is not None, "a running stage has a worker"
    if observed.failure is not None:
        return _failed(job, status, stage, observed.failure, now), []
    if observed.lost:
        return _failed(job, status, stage, Failure(Reason.WORKER_LOST, observed.lost), now), []
    if observed.result is not None:
        status = _skip(job, _stage_succeeded(status, stage, observed.result, now))
        return (_succeed(status, now) if status.current is None else status), []
    if observed.progress is not None:
        percent = max(stage.progress.percent, observed.progress.percent)
        return status.with_stage(replace(stage, progress=replace(observed.progress, percent=percent))), []
    # After a restart nobody knows whether the attempt was started; starting it again is harmless.
    return status, [Start(stage.name, job.request_id(stage), stage.worker)]


def _failed(job: Job, status: JobStatus, stage: StageStatus, failure: Failure, now: int) -> JobStatus:
    """The current attempt ended without a result: the policy decides whether there is another."""
    stage = replace(stage, operation="", worker=None, reason=failure.reason, message=failure.message[:1024])
    if failure.reason is Reason.NO_FREE_SLOT:  # it never ran, so it is no attempt that anybody lost
        waiting = replace(stage, state=StageState.PENDING, not_before=now + _BUSY_SECONDS)
        return status.with_stage(waiting)
    policy = job.spec.failure_policy
    action = _action(job, failure.reason)
    counted = action is FailureAction.RETRY_STAGE or (
        action is not FailureAction.RETRY_STAGE_UNCOUNTED and failure.reason not in _LOST
    )
    stage = replace(
        stage,
        counted_attempts=stage.counted_attempts + counted,
        uncounted_attempts=stage.uncounted_attempts + (not counted),
    )
    exhausted = (
        stage.counted_attempts >= policy.max_attempts_per_stage
        or stage.uncounted_attempts > policy.max_uncounted_attempts_per_stage
    )
    again = action in (FailureAction.RETRY_STAGE, FailureAction.RETRY_STAGE_UNCOUNTED) or (
        action is None and failure.reason in _RETRIED
    )
    if exhausted or not again:
        failed = replace(stage, state=StageState.FAILED, ended=now)
        return replace(status.with_stage(failed), phase=Phase.FAILED, completed=now, queue_position=None)
    return status.with_stage(replace(stage, state=StageState.PENDING, not_before=now + _pause(job, stage)))


def _action(job: Job, reason: Reason) -> FailureAction | None:
    rules = job.spec.failure_policy.rules
    return next((rule.action for rule in rules if reason in rule.on_reasons), None)


def _pause(job: Job, stage: StageStatus) -> int:
    backoff = job.spec.failure_policy.backoff
    failures = stage.counted_attempts + stage.uncounted_attempts
    # The exponent is bounded so that the power stays a small number whatever the number of attempts.
    longer = int(backoff.factor ** min(failures - 1, 20))
    return min(backoff.initial_seconds * longer, backoff.max_seconds)


def _stage_succeeded(status: JobStatus, stage: StageStatus, result: Result, now: int) -> JobStatus:
    return status.with_stage(
        replace(
            stage,
            state=StageState.SUCCEEDED,
            operation="",
            ended=now,
            progress=Progress(percent=100.0),
            reason=None,
            message="",
            cached=result.cached,
            input_digest=result.input_digest,
            outputs=result.outputs,
            metrics=result.metrics,
        )
    )


def _skip(job: Job, status: JobStatus) -> JobStatus:
    stage = status.stage(StageName.PUBLISH)
    if job.spec.publish.enabled or stage.state is not StageState.PENDING:
        return status
    return status.with_stage(replace(stage, state=StageState.SKIPPED))


def _suspend(status: JobStatus, now: int) -> tuple[JobStatus, list[Action]]:
    status, actions = _stopped(status)
    return replace(status, phase=Phase.SUSPENDED, queue_position=None, queued=None, started=None), actions


def _stopped(status: JobStatus) -> tuple[JobStatus, list[Action]]:
    """The running attempt ends and uses up nothing; the stage's next attempt goes on from its checkpoint."""
    stage = status.current
    if stage is None or stage.state is not StageState.RUNNING or stage.worker is None:
        return status, []
    cancel = Cancel(stage.name, stage.operation, stage.worker)
    stopped = replace(stage, state=StageState.PENDING, operation="", worker=None, not_before=0)
    return status.with_stage(stopped), [cancel]


def _end(status: JobStatus, failure: Failure, now: int) -> tuple[JobStatus, list[Action]]:
    """The job fails whatever its current stage does."""
    status, actions = _stopped(status)
    stage = status.current
    assert stage is not None, "a job without a current stage has succeeded"
    failed = replace(
        stage, state=StageState.FAILED, ended=now, reason=failure.reason, message=failure.message[:1024]
    )
    status = replace(
        status.with_stage(failed), phase=Phase.FAILED, completed=now, queue_position=None, queued=None
    )
    return status, actions


def _succeed(status: JobStatus, now: int) -> JobStatus:
    return replace(status, phase=Phase.SUCCEEDED, completed=now, queue_position=None, queued=None)
