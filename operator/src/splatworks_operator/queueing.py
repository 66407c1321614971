"""Who gets which free worker: pure, for all jobs of an operator at once.

A worker is given to the job of the highest priority, then the oldest, that waits for its stage. Nobody who
runs is displaced. Invariant: no worker is given more than it has free, and no job more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from splatworks_operator.status import StageName, WorkerRef


@dataclass(frozen=True)
class Waiting:
    """A job whose current stage waits for a worker.

    Attributes:
        uid: The job.
        stage: What it waits for.
        priority: The highest goes first.
        created: When the job was made; the oldest goes first among equals.
        ready: False while it may not start yet (before its next attempt's time): it keeps its place in the
            queue and lets others pass.
    """

    uid: str
    stage: StageName
    priority: int
    created: int
    ready: bool = True


@dataclass(frozen=True)
class Slots:
    """What one worker can take.

    Attributes:
        worker: The worker.
        stage: What it does.
        free: How many more operations it can take now.
    """

    worker: WorkerRef
    stage: StageName
    free: int


@dataclass(frozen=True)
class Assignment:
    """Who goes where.

    Attributes:
        offers: The worker of each job that may start, by uid.
        positions: The place in its stage's queue of each job that may not, by uid; 1 is next.
    """

    offers: Mapping[str, WorkerRef] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)


def assign(waiting: Iterable[Waiting], workers: Iterable[Slots]) -> Assignment:
    """Gives free workers to waiting jobs.

    Of several workers of a stage the emptiest is taken first, so that work spreads; ties go by name, so that
    the same picture gives the same answer.
    """
    room: dict[StageName, list[tuple[int, str, WorkerRef]]] = {stage: [] for stage in StageName}
    for slots in workers:
        if slots.free > 0:
            heappush(room[slots.stage], (-slots.free, slots.worker.name, slots.worker))
    offers: dict[str, WorkerRef] = {}
    positions: dict[str, int] = {}
    queued = dict.fromkeys(StageName, 0)
    for job in sorted(waiting, key=lambda job: (-job.priority, job.created, job.uid)):
        if job.ready and room[job.stage]:
            minus_free, name, offers[job.uid] = heappop(room[job.stage])
            if minus_free < -1:
                heappush(room[job.stage], (minus_free + 1, name, offers[job.uid]))
        else:
            queued[job.stage] += 1
            positions[job.uid] = queued[job.stage]
    return Assignment(offers, positions)
