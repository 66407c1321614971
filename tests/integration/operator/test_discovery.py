"""Workers behind EndpointSlices: they come, go and are told which of them are busy."""

from __future__ import annotations

import socket

from splatworks_operator.kube.deletion_cost import ANNOTATION, BUSY
from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName
from tests.fakes.kube_api import PODS, SLICES, Object
from tests.fakes.worker import FOREVER, FakeWorker, Plan
from tests.integration.operator.conftest import World, until

_NAMESPACE = "splatworks"


class Pods:
    """Workers as pods: each has an address of its own on the one port, and stands in its service's slice."""

    def __init__(self, world: World) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.world = world
        self.found: dict[str, tuple[StageName, FakeWorker, bool]] = {}
        for stage in StageName:
            metadata = {
                "name": f"{stage}-1",
                "namespace": _NAMESPACE,
                "labels": {"kubernetes.io/service-name": f"splatworks-{CALLS[stage].service}"},
            }
            world.kube.create(SLICES, {"metadata": metadata, "addressType": "IPv4", "endpoints": []})

    def add(self, name: str, stage: StageName, plan: Plan, capacity: int = 1) -> FakeWorker:
        """A pod starts and turns ready."""
        host = f"127.0.1.{len(self.found) + 1}"
        worker = self.world.add_worker(
            stage, lambda request: plan, capacity=capacity, host=host, port=self.port
        )
        self.world.kube.create(PODS, {"metadata": {"name": name, "namespace": _NAMESPACE}})
        self.found[name] = (stage, worker, True)
        self._show(stage)
        return worker

    def unready(self, name: str) -> None:
        """A pod turns unready."""
        stage, worker, _ = self.found[name]
        self.found[name] = (stage, worker, False)
        self._show(stage)

    def remove(self, name: str) -> None:
        """A pod is gone."""
        stage, worker, _ = self.found.pop(name)
        worker.kill()
        self._show(stage)

    def config(self) -> dict[str, object]:
        """Where the operator finds them."""
        return {"workers": {"namespace": _NAMESPACE, "port": self.port}}

    def _show(self, stage: StageName) -> None:
        endpoints: list[Object] = [
            {
                "addresses": [worker.host],
                "conditions": {"ready": ready},
                "targetRef": {"kind": "Pod", "name": name},
            }
            for name, (of, worker, ready) in self.found.items()
            if of is stage
        ]
        self.world.kube.patch(SLICES, _NAMESPACE, f"{stage}-1", {"endpoints": endpoints})


def _pods(world: World, *, without: StageName | None = None) -> Pods:
    pods = Pods(world)
    for stage in StageName:
        if stage is not without:
            pods.add(f"{stage}-pod", stage, Plan(), capacity=4)
    return pods


def test_a_job_runs_on_the_pods_behind_the_services(world: World):
    pods = _pods(world)
    world.start_operator(**pods.config())
    world.submit()
    world.until_phase("Succeeded")
    assert world.stage(StageName.TRAIN)["worker"]["name"] == "train-pod"


def test_a_waiting_job_starts_when_a_pod_appears(world: World):
    pods = _pods(world, without=StageName.TRAIN)
    world.start_operator(**pods.config())
    world.submit()
    until(lambda: world.stage(StageName.SFM).get("state") == "Succeeded")
    pods.add("train-late", StageName.TRAIN, Plan())
    world.until_phase("Succeeded")
    assert world.stage(StageName.TRAIN)["worker"]["name"] == "train-late"


def test_a_job_whose_pod_is_gone_goes_on_with_another(world: World):
    pods = _pods(world, without=StageName.TRAIN)
    first = pods.add("train-first", StageName.TRAIN, FOREVER)
    world.start_operator(**pods.config())
    world.submit(failurePolicy={"backoff": {"initialSeconds": 0}})
    until(lambda: first.running == 1)
    pods.add("train-second", StageName.TRAIN, Plan())
    pods.remove("train-first")
    world.until_phase("Succeeded")
    train = world.stage(StageName.TRAIN)
    assert (train["worker"]["name"], train["attempt"], train["uncountedAttempts"]) == ("train-second", 2, 1)


def test_a_pod_that_is_not_ready_finishes_its_work_and_gets_no_more(world: World):
    pods = _pods(world, without=StageName.TRAIN)
    leaving = pods.add("train-leaving", StageName.TRAIN, Plan(seconds=2.0), capacity=4)
    world.start_operator(**pods.config())
    world.submit("first")
    until(lambda: leaving.running == 1)
    pods.add("train-staying", StageName.TRAIN, Plan())
    pods.unready("train-leaving")
    world.until_phase("Succeeded", "first")
    world.submit("second")
    world.until_phase("Succeeded", "second")
    assert world.stage(StageName.TRAIN, "first")["worker"]["name"] == "train-leaving"
    assert world.stage(StageName.TRAIN, "first")["attempt"] == 1
    assert world.stage(StageName.TRAIN, "second")["worker"]["name"] == "train-staying"


def test_busy_pods_of_a_stage_with_several_are_marked(world: World):
    pods = _pods(world, without=StageName.TRAIN)
    for name in ("train-a", "train-b"):
        pods.add(name, StageName.TRAIN, FOREVER)
    world.start_operator(**pods.config())
    world.submit()
    until(lambda: world.stage(StageName.TRAIN).get("state") == "Running")
    busy = world.stage(StageName.TRAIN)["worker"]["name"]
    until(lambda: _marks(world) == {busy: BUSY})


def _marks(world: World) -> dict[str, str]:
    marks = {pod["metadata"]["name"]: pod["metadata"].get("annotations") for pod in world.kube.list(PODS)}
    return {name: annotations[ANNOTATION] for name, annotations in marks.items() if annotations}
