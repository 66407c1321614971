"""Workers as the pods behind Services, for tests of what the operator finds."""

from __future__ import annotations

import socket

from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName
from tests.fakes.kube_api import PODS, SLICES, Object
from tests.fakes.worker import FakeWorker, Plan
from tests.integration.operator.conftest import World

NAMESPACE = "splatworks"


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
                "namespace": NAMESPACE,
                "labels": {"kubernetes.io/service-name": f"splatworks-{CALLS[stage].service}"},
            }
            world.kube.create(SLICES, {"metadata": metadata, "addressType": "IPv4", "endpoints": []})

    def add(self, name: str, stage: StageName, plan: Plan, capacity: int = 1) -> FakeWorker:
        """A pod starts and turns ready."""
        host = f"127.0.1.{len(self.found) + 1}"
        worker = self.world.add_worker(
            stage, lambda request: plan, capacity=capacity, host=host, port=self.port
        )
        self.world.kube.create(PODS, {"metadata": {"name": name, "namespace": NAMESPACE}})
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
        return {"workers": {"namespace": NAMESPACE, "port": self.port}}

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
        self.world.kube.patch(SLICES, NAMESPACE, f"{stage}-1", {"endpoints": endpoints})


def pods_of_all_stages(world: World, *, without: StageName | None = None) -> Pods:
    """A pod for every stage but one."""
    pods = Pods(world)
    for stage in StageName:
        if stage is not without:
            pods.add(f"{stage}-pod", stage, Plan(), capacity=4)
    return pods
