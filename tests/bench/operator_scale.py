"""``make bench-operator``: what many jobs at once cost the operator, over a strict API in memory and workers
that finish at once.

Operator, API server and workers are three processes. The time of all three is printed, since they share the
machine: two cores have twice the seconds. So compare a ratio of two runs in one sitting rather than seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.e2e.kube.waiting import until
from tests.fakes.kube_api import EVENTS, SPLATJOBS, KubeApi
from tests.fakes.operator import OperatorProcess

_PATIENCE_SECONDS = 300.0
_MEMORY = Path("/dev/shm")
"""Where the workers' manifests lie where it is there: on a disk they took most of the workers' time."""


@dataclass(frozen=True)
class Cost:
    """What a number of jobs took.

    Attributes:
        jobs: How many, created one after another as fast as the API takes them.
        seconds: From the first creation to the last success.
        operator_cpu_seconds: The operator's processor time meanwhile, and until all events were posted.
        api_cpu_seconds: That of the API server.
        workers_cpu_seconds: That of the workers.
        most_writes: Requests that changed a job or told of it, for the job with the most.
        memory_mb: The most memory that the operator has had.
    """

    jobs: int
    seconds: float
    operator_cpu_seconds: float
    api_cpu_seconds: float
    workers_cpu_seconds: float
    most_writes: int
    memory_mb: float


@dataclass(frozen=True)
class _World:
    """Everything that takes processor time.

    Attributes:
        kube: The API server, in this process.
        operator: The operator.
        workers: The process of the workers.
    """

    kube: KubeApi
    operator: OperatorProcess
    workers: psutil.Process

    def cpu_seconds(self) -> list[float]:
        """What each has used: operator, API server, workers."""
        return [self.operator.cpu_seconds(), _cpu_seconds(psutil.Process()), _cpu_seconds(self.workers)]


def measure(jobs: int) -> Cost:
    """Takes so many jobs from creation to success."""
    with _world(jobs) as world:
        until(lambda: world.operator.probe("/readyz")[0] == 200, "the operator is not ready", seconds=60)
        began, before = time.monotonic(), world.cpu_seconds()
        for number in range(jobs):
            world.kube.create(SPLATJOBS, _job(number))
        until(lambda: _succeeded(world.kube) == jobs, "not all succeed", seconds=_PATIENCE_SECONDS)
        seconds = time.monotonic() - began
        # Each of the four stages starts, and the job ends.
        until(
            lambda: len(world.kube.list(EVENTS)) == 5 * jobs, "events are missing", seconds=_PATIENCE_SECONDS
        )
        used = [now - then for now, then in zip(world.cpu_seconds(), before, strict=True)]
        return Cost(
            jobs=jobs,
            seconds=seconds,
            operator_cpu_seconds=used[0],
            api_cpu_seconds=used[1],
            workers_cpu_seconds=used[2],
            most_writes=_most_writes(world.kube),
            memory_mb=world.operator.memory_mb(),
        )


def table(costs: list[Cost]) -> Table:
    """The costs as a table."""
    made = Table(title="Jobs through the operator", title_justify="left", show_edge=False)
    cpu = ("operator CPU s", "API CPU s", "workers CPU s")
    for column in ("jobs", "s", *cpu, "writes a job", "operator MB"):
        made.add_column(column, justify="right")
    for cost in costs:
        made.add_row(
            f"{cost.jobs:,}",
            f"{cost.seconds:.1f}",
            f"{cost.operator_cpu_seconds:.1f}",
            f"{cost.api_cpu_seconds:.1f}",
            f"{cost.workers_cpu_seconds:.1f}",
            str(cost.most_writes),
            f"{cost.memory_mb:.0f}",
        )
    return made


@contextmanager
def _world(capacity: int) -> Iterator[_World]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as directory:
        folder = Path(directory)
        store = folder / "store"
        store.mkdir()
        kube = KubeApi(validating=False)
        kube.start()
        kube.kubeconfig(folder / "kubeconfig")
        workers = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.worker_main", str(store), str(capacity)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert workers.stdin is not None
        assert workers.stdout is not None
        config = {
            "workers": {"addresses": json.loads(workers.stdout.readline())},
            "buckets": [{"namespaces": ["*"], "source": ["photos"], "output": ["splatworks"]}],
            "pollSeconds": 0.5,
        }
        operator = OperatorProcess(config, store, folder / "kubeconfig", folder / "operator")
        operator.start()
        try:
            yield _World(kube, operator, psutil.Process(workers.pid))
        finally:
            operator.kill()
            kube.stop()
            workers.communicate(timeout=_PATIENCE_SECONDS)
        assert workers.returncode == 0, "a request id ran twice"


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _job(number: int) -> dict[str, Any]:
    metadata = {"name": f"job-{number}", "namespace": "team"}
    return {"metadata": metadata, "spec": {"source": {"uri": "s3://photos/fox"}}}


def _succeeded(kube: KubeApi) -> int:
    return sum((job.get("status") or {}).get("phase") == "Succeeded" for job in kube.list(SPLATJOBS))


def _most_writes(kube: KubeApi) -> int:
    writes = Counter(write.name for write in kube.writes if write.resource == SPLATJOBS)
    writes.update(event["involvedObject"]["name"] for event in kube.list(EVENTS))
    return max(writes.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--times", type=int, default=1, help="how often (default: once)")
    chosen = parser.parse_args()
    Console(width=140).print(table([measure(chosen.jobs) for _ in range(chosen.times)]))
