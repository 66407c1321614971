"""A cluster in memory for the operator: API server, workers of every stage, and a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from splatworks_operator.kube.config import parse
from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName
from tests.fakes.kube_api import EVENTS, SPLATJOBS, KubeApi, Object
from tests.fakes.operator import OperatorProcess, OperatorThread
from tests.fakes.store import FolderArtifacts
from tests.fakes.worker import Behaviour, FakeWorker, Ledger, Plan

NAMESPACE = "team"


@dataclass
class World:
    """Everything around the operator."""

    folder: Path
    kube: KubeApi
    store: FolderArtifacts
    ledger: Ledger = field(default_factory=Ledger)
    workers: dict[StageName, list[FakeWorker]] = field(default_factory=dict)
    operators: list[OperatorThread | OperatorProcess] = field(default_factory=list)

    def add_worker(
        self,
        stage: StageName,
        behave: Behaviour = lambda request: Plan(),
        *,
        capacity: int = 4,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> FakeWorker:
        """Starts one more worker of a stage."""
        worker = FakeWorker(
            stage, self.store, self.ledger, capacity=capacity, behave=behave, host=host, port=port
        )
        worker.start()
        self.workers.setdefault(stage, []).append(worker)
        return worker

    def config(self, **changes: Any) -> dict[str, Any]:
        """A configuration that names the workers, one instant worker for each stage that has none."""
        for stage in StageName:
            if stage not in self.workers:
                self.add_worker(stage)
        addresses = {
            CALLS[stage].service: [worker.address for worker in found]
            for stage, found in self.workers.items()
        }
        return {
            "workers": {"addresses": addresses},
            "buckets": [{"namespaces": ["*"], "source": ["photos"], "output": ["splatworks"]}],
            "pollSeconds": 0.5,
            **changes,
        }

    def start_operator(self, **changes: Any) -> OperatorThread:
        """Runs the operator in this process."""
        operator = OperatorThread(parse(self.config(**changes), "the test"), self.store)
        operator.start()
        self.operators.append(operator)
        return operator

    def operator_process(self, **changes: Any) -> OperatorProcess:
        """The operator as a process, not yet started."""
        number = len(self.operators)
        operator = OperatorProcess(
            self.config(**changes),
            self.folder / "store",
            self.folder / "kubeconfig",
            self.folder / f"operator-{number}",
        )
        self.operators.append(operator)
        return operator

    def submit(self, name: str = "fox", *, namespace: str = NAMESPACE, **spec: Any) -> Object:
        """Creates a SplatJob."""
        metadata = {"name": name, "namespace": namespace}
        source = {"source": {"uri": "s3://photos/fox"}}
        return self.kube.create(SPLATJOBS, {"metadata": metadata, "spec": {**source, **spec}})

    def change(self, name: str = "fox", **spec: Any) -> None:
        """Edits a SplatJob's spec."""
        self.kube.patch(SPLATJOBS, NAMESPACE, name, {"spec": spec})

    def status(self, name: str = "fox") -> dict[str, Any]:
        """A SplatJob's status; empty where it has none, or is gone."""
        found = self.kube.get(SPLATJOBS, NAMESPACE, name)
        return (found or {}).get("status") or {}

    def phase(self, name: str = "fox") -> str:
        """A SplatJob's phase."""
        return str(self.status(name).get("phase", ""))

    def stage(self, stage: StageName, name: str = "fox") -> dict[str, Any]:
        """The status of a stage."""
        stages = self.status(name).get("stages", [])
        return next((found for found in stages if found["name"] == stage.value), {})

    def events(self, name: str = "fox") -> list[str]:
        """The reasons of a SplatJob's events, in order."""
        return [
            event["reason"] for event in self.kube.list(EVENTS) if event["involvedObject"]["name"] == name
        ]

    def until_phase(self, phase: str, name: str = "fox", seconds: float = 20.0) -> None:
        """Waits until a SplatJob has reached a phase."""
        until(lambda: self.phase(name) == phase, seconds, lambda: f"{phase}; it is {self.status(name)}")

    def writes_of(self, name: str = "fox") -> int:
        """Requests of the operator that changed the job, or tell of it."""
        about = [write for write in self.kube.writes if write.resource == SPLATJOBS and write.name == name]
        return len(about) + len(self.events(name))


def until(
    condition: Callable[[], object], seconds: float = 20.0, what: Callable[[], str] = lambda: "it"
) -> None:
    """Waits until a condition holds; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what()}"
        time.sleep(0.02)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    (tmp_path / "store").mkdir()
    kube = KubeApi()
    kube.start()
    monkeypatch.setenv("KUBECONFIG", str(kube.kubeconfig(tmp_path / "kubeconfig")))
    world = World(tmp_path, kube, FolderArtifacts(tmp_path / "store"))
    try:
        yield world
    finally:
        for operator in world.operators:
            if isinstance(operator, OperatorThread):
                operator.stop()
            else:
                operator.kill()
        for worker in (worker for found in world.workers.values() for worker in found):
            worker.kill()
        kube.stop()
