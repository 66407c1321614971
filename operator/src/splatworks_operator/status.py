"""What is known about a job, as values: the state that ``pipeline.reconcile`` reads and returns.

Invariants: every value is immutable; times are whole seconds since the epoch in UTC, so that a status that
went through the API and back is the same status; nothing here says what happens next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from splatworks_common.reasons import Reason


class StageName(StrEnum):
    """The stages, in the order they run."""

    SFM = "sfm"
    TRAIN = "train"
    COMPRESS = "compress"
    PUBLISH = "publish"


class Phase(StrEnum):
    """Where a job stands, in one word; the conditions say more."""

    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def terminal(self) -> bool:
        """True where the job will never run again."""
        return self in (Phase.SUCCEEDED, Phase.FAILED)


class StageState(StrEnum):
    """Where a stage stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"

    @property
    def over(self) -> bool:
        """True where the stage needs nothing more for the next one to begin."""
        return self in (StageState.SUCCEEDED, StageState.SKIPPED)


class ConditionType(StrEnum):
    """What a condition is about."""

    ACCEPTED = "Accepted"
    ADMITTED = "Admitted"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True)
class WorkerRef:
    """The one process that runs an attempt.

    Attributes:
        name: The pod's name; locally the service's.
        address: host:port of its gRPC server.
        instance: The process's own random id, which tells it from one that was started again in its place.
    """

    name: str
    address: str = ""
    instance: str = ""


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
class Artifact:
    """One file that a stage made."""

    name: str
    uri: str
    size_bytes: int
    sha256: str
    media_type: str


@dataclass(frozen=True)
class Condition:
    """One aspect of a job, as Kubernetes has conditions.

    Attributes:
        type: What it is about.
        status: Whether it holds.
        reason: One word for programs.
        message: A sentence for people.
        since: When ``status`` last changed.
        generation: The generation of the spec that it was judged by.
    """

    type: ConditionType
    status: bool
    reason: str
    message: str
    since: int
    generation: int = 0


@dataclass(frozen=True)
class StageStatus:
    """One stage of a job.

    Attributes:
        name: Which stage.
        state: Where it stands.
        attempt: The current attempt, 0 before the first.
        counted_attempts: Failed attempts that use up the policy's.
        uncounted_attempts: Failed attempts that the platform lost.
        not_before: No new attempt before this time.
        operation: The current attempt's operation; "" where none runs.
        worker: Where the current attempt runs; None where none does.
        started, ended: When the current attempt began, and when the stage ended.
        progress: How far the current attempt is.
        reason, message: Why the last attempt failed; None and "" where none did.
        cached: True where a finished result was reused.
        input_digest: What the result was made from.
        outputs: The stage's main files.
        metrics: The figures of the finished stage.
    """

    name: StageName
    state: StageState = StageState.PENDING
    attempt: int = 0
    counted_attempts: int = 0
    uncounted_attempts: int = 0
    not_before: int = 0
    operation: str = ""
    worker: WorkerRef | None = None
    started: int | None = None
    ended: int | None = None
    progress: Progress = Progress()
    reason: Reason | None = None
    message: str = ""
    cached: bool = False
    input_digest: str = ""
    outputs: tuple[Artifact, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class JobResult:
    """What a job has given so far; a figure is None until it is known."""

    uri: str = ""
    viewer_url: str = ""
    num_gaussians: int | None = None
    registered_images: int | None = None
    total_images: int | None = None
    psnr: float | None = None
    ssim: float | None = None
    size_bytes: int | None = None
    compression_ratio: float | None = None


@dataclass(frozen=True)
class JobStatus:
    """Everything known about a job.

    Attributes:
        phase: Where it stands.
        stages: Its stages, in order.
        message: A short sentence for people.
        queue_position: 1 is next; None where it does not wait for a worker.
        queued: Since when it has waited to start; None before that and after.
        started: When its first stage started, anew after every suspension.
        completed: When it reached a terminal phase.
        conditions: One of each type at most.
        result: What it has given so far.
        generation: The generation of the spec that this status answers.
    """

    phase: Phase = Phase.PENDING
    stages: tuple[StageStatus, ...] = tuple(StageStatus(name) for name in StageName)
    message: str = ""
    queue_position: int | None = None
    queued: int | None = None
    started: int | None = None
    completed: int | None = None
    conditions: tuple[Condition, ...] = ()
    result: JobResult = JobResult()
    generation: int = 0

    @cached_property  # asked for a hundred times on a job's way
    def current(self) -> StageStatus | None:
        """The first stage that is not over; None once all are."""
        return next((stage for stage in self.stages if not stage.state.over), None)

    @property
    def percent(self) -> int:
        """How much of the whole job is done, by the usual share of time of each stage."""
        done = sum(
            _SHARES[stage.name] * (1.0 if stage.state.over else stage.progress.percent / 100.0)
            for stage in self.stages
        )
        return 100 if self.phase is Phase.SUCCEEDED else min(99, int(100 * done))

    @property
    def failure(self) -> StageStatus | None:
        """The stage that failed; None where none did."""
        return next((stage for stage in self.stages if stage.state is StageState.FAILED), None)

    def stage(self, name: StageName) -> StageStatus:
        """The status of one stage."""
        return next(stage for stage in self.stages if stage.name is name)

    def condition(self, type: ConditionType) -> Condition | None:
        """The condition of that type, where there is one."""
        return next((condition for condition in self.conditions if condition.type is type), None)

    def with_stage(self, changed: StageStatus) -> JobStatus:
        """The status with one stage replaced."""
        return replace(
            self, stages=tuple(changed if stage.name is changed.name else stage for stage in self.stages)
        )


_SHARES = {StageName.SFM: 0.35, StageName.TRAIN: 0.5, StageName.COMPRESS: 0.13, StageName.PUBLISH: 0.02}
"""The share of a job's time that each stage takes with default options, on two cores without a GPU."""
