"""The pipeline's logic, written once and pure: ``reconcile`` looks at a job and says what to do next.

No clock, no network, no process is touched here. A driver observes the running stage, calls ``reconcile``,
carries out the actions and calls again; it may be restarted at any point, because every action is idempotent:
the request id ``{job uid}.{stage}.{attempt}`` never runs twice. Decisions rest on state, never on having seen
an event.

Invariants: stages run in order, one at a time; a finished stage never runs again; counted attempts never
exceed the policy; percent never goes back within an attempt; a terminal phase never leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from splatworks_common.reasons import UNCOUNTED, Reason


class StageName(StrEnum):
    """The stages, in the order they run."""

    SFM = "sfm"
    TRAIN = "train"
    COMPRESS = "compress"
    PUBLISH = "publish"


class Phase(StrEnum):
    """Where a job stands."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def terminal(self) -> bool:
        """True where the job will never run again."""
        return self is not Phase.RUNNING


class StageState(StrEnum):
    """Where a stage stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


_RETRIED: frozenset[Reason] = UNCOUNTED | {Reason.INTERNAL, Reason.OUT_OF_MEMORY}
"""Reasons after which another attempt may end better. The others would only repeat themselves."""


@dataclass(frozen=True)
class FailurePolicy:
    """When to give up.

    Attributes:
        max_attempts: Counted attempts of a stage, at least 1.
        max_uncounted: Attempts lost to the platform (worker gone, store gone) before the job fails all the
            same.
        first_backoff_seconds: Wait before the second attempt; doubles with every further one.
        longest_backoff_seconds: No wait is longer.
    """

    max_attempts: int = 2
    max_uncounted: int = 10
    first_backoff_seconds: float = 1.0
    longest_backoff_seconds: float = 30.0


@dataclass(frozen=True)
class JobSpec:
    """What is asked for.

    Attributes:
        uid: The job's identity; unique for all time.
        photos_uri: An s3:// prefix of photos, or one .zip object.
        output_uri: The s3:// prefix under which each stage gets a folder.
        slug: The scene's name in URLs.
        title: The scene's name for people.
        profile: "draft" or "standard".
        failure: When to give up.
    """

    uid: str
    photos_uri: str
    output_uri: str
    slug: str
    title: str
    profile: str
    failure: FailurePolicy = FailurePolicy()


@dataclass(frozen=True)
class Progress:
    """How far the running attempt of a stage is."""

    percent: float = 0.0
    done: float = 0.0
    total: float = 0.0
    eta_seconds: float | None = None
    message: str = ""
    unit: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StageStatus:
    """One stage of a job.

    Attributes:
        name: Which stage.
        state: Where it stands.
        attempt: The current attempt, 0 before the first.
        counted_attempts: Attempts that failed through the user's input or a defect.
        not_before: No new attempt before this time, in seconds since the epoch.
        started, ended: When the current attempt began, and when the stage ended.
        progress: How far the current attempt is.
        reason, message: Why the last attempt failed; None and "" where none did.
        cached: True where a finished result was reused.
        metrics: The figures of the finished stage.
    """

    name: StageName
    state: StageState = StageState.PENDING
    attempt: int = 0
    counted_attempts: int = 0
    not_before: float = 0.0
    started: float | None = None
    ended: float | None = None
    progress: Progress = Progress()
    reason: Reason | None = None
    message: str = ""
    cached: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class JobStatus:
    """Everything known about a job."""

    phase: Phase = Phase.RUNNING
    stages: tuple[StageStatus, ...] = tuple(StageStatus(name) for name in StageName)

    @property
    def current(self) -> StageStatus | None:
        """The first stage that has not succeeded; None once all have."""
        return next((stage for stage in self.stages if stage.state is not StageState.SUCCEEDED), None)

    def stage(self, name: StageName) -> StageStatus:
        """The status of one stage."""
        return next(stage for stage in self.stages if stage.name is name)


@dataclass(frozen=True)
class Observation:
    """What a driver sees of the current attempt. Exactly one field is set.

    Attributes:
        progress: It is running.
        failure: It ended without a result, or its worker is gone.
        result: It succeeded.
    """

    progress: Progress | None = None
    failure: Failure | None = None
    result: Result | None = None


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended without a result."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Result:
    """What a finished stage gave."""

    cached: bool
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Start:
    """An action: start the stage's attempt, or find it where it was started before."""

    stage: StageName
    request_id: str


def request_id(spec: JobSpec, stage: StageStatus) -> str:
    """The id of the stage's current attempt."""
    return f"{spec.uid}.{stage.name}.{stage.attempt}"


def reconcile(
    spec: JobSpec, status: JobStatus, observed: Observation | None, now: float
) -> tuple[JobStatus, list[Start]]:
    """One step of a job.

    Args:
        spec: What is asked for.
        status: What is known.
        observed: The current attempt as the driver sees it; None where nothing was started or nothing is
            known.
        now: Seconds since the epoch.

    Returns:
        The new status, and the actions to carry out.
    """
    stage = status.current
    if status.phase.terminal or stage is None:
        return status, []
    if stage.state is StageState.PENDING:
        if now < stage.not_before:
            return status, []
        started = replace(
            stage, state=StageState.RUNNING, attempt=stage.attempt + 1, started=now, progress=Progress()
        )
        return _with(status, started), [Start(stage.name, request_id(spec, started))]
    if observed is None:
        # After a restart nobody knows whether the attempt was started; starting it again is harmless.
        return status, [Start(stage.name, request_id(spec, stage))]
    if observed.failure is not None:
        return _failed(spec, status, stage, observed.failure, now), []
    if observed.result is not None:
        return _succeeded(status, stage, observed.result, now), []
    if observed.progress is not None:
        percent = max(stage.progress.percent, observed.progress.percent)
        stage = replace(stage, progress=replace(observed.progress, percent=percent))
    return _with(status, stage), []


def _succeeded(status: JobStatus, stage: StageStatus, result: Result, now: float) -> JobStatus:
    done = replace(
        stage,
        state=StageState.SUCCEEDED,
        ended=now,
        progress=replace(stage.progress, percent=100.0, eta_seconds=0.0),
        reason=None,
        message="",
        cached=result.cached,
        metrics=result.metrics,
    )
    status = _with(status, done)
    return replace(status, phase=Phase.SUCCEEDED) if status.current is None else status


def _failed(spec: JobSpec, status: JobStatus, stage: StageStatus, failure: Failure, now: float) -> JobStatus:
    policy = spec.failure
    counted = stage.counted_attempts + (failure.reason not in UNCOUNTED)
    uncounted = stage.attempt - counted
    stage = replace(stage, counted_attempts=counted, reason=failure.reason, message=failure.message)
    again = failure.reason in _RETRIED and counted < policy.max_attempts and uncounted <= policy.max_uncounted
    if not again:
        failed = replace(stage, state=StageState.FAILED, ended=now)
        return replace(_with(status, failed), phase=Phase.FAILED)
    wait = min(policy.first_backoff_seconds * 2 ** (stage.attempt - 1), policy.longest_backoff_seconds)
    return _with(status, replace(stage, state=StageState.PENDING, not_before=now + wait))


def _with(status: JobStatus, stage: StageStatus) -> JobStatus:
    return replace(
        status, stages=tuple(stage if other.name is stage.name else other for other in status.stages)
    )
