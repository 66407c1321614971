"""``make bench-operator``: what many jobs at once cost the operator, over a strict API in memory and workers
that finish at once.

The operator is a process of its own; API server and workers share another, whose processor time is printed
too, since it takes part of the machine. So compare a ratio of two runs in one sitting rather than seconds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from splatworks_operator.status import StageName
from tests.fakes.kube_api import EVENTS, SPLATJOBS, KubeApi
from tests.fakes.operator import OperatorProcess
from tests.fakes.store import FolderArtifacts
from tests.integration.operator.conftest import World, until

_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Cost:
    """What a number of jobs took.

    Attributes:
        jobs: How many, created one after another as fast as the API takes them.
        seconds: From the first creation to the last success.
        operator_cpu_seconds: The operator's processor time meanwhile, and until all events were posted.
        rest_cpu_seconds: That of API server and workers.
        most_writes: Requests that changed a job or told of it, for the job with the most.
        memory_mb: The most memory that the operator has had.
    """

    jobs: int
    seconds: float
    operator_cpu_seconds: float
    rest_cpu_seconds: float
    most_writes: int
    memory_mb: float


def measure(jobs: int) -> Cost:
    """Takes so many jobs from creation to success."""
    with _world(jobs) as world:
        operator = world.operator_process()
        operator.start()
        until(lambda: operator.probe("/readyz")[0] == 200, _PATIENCE_SECONDS)
        began, used, rest = time.monotonic(), operator.cpu_seconds(), _own_cpu_seconds()
        for number in range(jobs):
            world.submit(f"job-{number}")
        until(lambda: _succeeded(world) == jobs, _PATIENCE_SECONDS)
        seconds = time.monotonic() - began
        # Each of the four stages starts, and the job ends.
        until(lambda: len(world.kube.list(EVENTS)) == 5 * jobs, _PATIENCE_SECONDS)
        return Cost(
            jobs=jobs,
            seconds=seconds,
            operator_cpu_seconds=operator.cpu_seconds() - used,
            rest_cpu_seconds=_own_cpu_seconds() - rest,
            most_writes=_most_writes(world),
            memory_mb=operator.memory_mb(),
        )


def table(costs: list[Cost]) -> Table:
    """The costs as a table."""
    made = Table(title="Jobs through the operator", title_justify="left", show_edge=False)
    for column in ("jobs", "s", "operator CPU s", "API and workers CPU s", "writes a job", "operator MB"):
        made.add_column(column, justify="right")
    for cost in costs:
        made.add_row(
            f"{cost.jobs:,}",
            f"{cost.seconds:.1f}",
            f"{cost.operator_cpu_seconds:.1f}",
            f"{cost.rest_cpu_seconds:.1f}",
            str(cost.most_writes),
            f"{cost.memory_mb:.0f}",
        )
    return made


@contextmanager
def _world(capacity: int) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "store").mkdir()
        kube = KubeApi(validating=False)
        kube.start()
        kube.kubeconfig(folder / "kubeconfig")
        world = World(folder, kube, FolderArtifacts(folder / "store"))
        for stage in StageName:
            world.add_worker(stage, capacity=capacity)
        try:
            yield world
        finally:
            for operator in world.operators:
                assert isinstance(operator, OperatorProcess), "only processes are measured"
                operator.kill()
            for worker in (worker for found in world.workers.values() for worker in found):
                worker.kill()
            kube.stop()


def _own_cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _succeeded(world: World) -> int:
    return sum((job.get("status") or {}).get("phase") == "Succeeded" for job in world.kube.list(SPLATJOBS))


def _most_writes(world: World) -> int:
    writes = Counter(write.name for write in world.kube.writes if write.resource == SPLATJOBS)
    writes.update(event["involvedObject"]["name"] for event in world.kube.list(EVENTS))
    return max(writes.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--times", type=int, default=1, help="how often (default: once)")
    chosen = parser.parse_args()
    Console(width=140).print(table([measure(chosen.jobs) for _ in range(chosen.times)]))
