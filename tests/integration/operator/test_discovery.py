"""Workers behind EndpointSlices: they come, go and are told which of them are busy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from splatworks.v1 import worker_pb2
from splatworks_operator.kube.api import connect
from splatworks_operator.kube.config import WorkersConfig
from splatworks_operator.kube.deletion_cost import ANNOTATION, BUSY
from splatworks_operator.kube.discovery import Discovery
from splatworks_operator.kube.slots import Capacity
from splatworks_operator.status import StageName
from tests.fakes.kube_api import PODS, SLICES
from tests.fakes.worker import FOREVER, Plan
from tests.integration.operator.conftest import World, until
from tests.integration.operator.pods import NAMESPACE, pods_of_all_stages

_SFM = {"kubernetes.io/service-name": "splatworks-sfm"}


def test_a_job_runs_on_the_pods_behind_the_services(world: World):
    pods = pods_of_all_stages(world)
    world.start_operator(**pods.config())
    world.submit()
    world.until_phase("Succeeded")
    assert world.stage(StageName.TRAIN)["worker"]["name"] == "train-pod"


def test_a_waiting_job_starts_when_a_pod_appears(world: World):
    pods = pods_of_all_stages(world, without=StageName.TRAIN)
    world.start_operator(**pods.config())
    world.submit()
    until(lambda: world.stage(StageName.SFM).get("state") == "Succeeded")
    pods.add("train-late", StageName.TRAIN, Plan())
    world.until_phase("Succeeded")
    assert world.stage(StageName.TRAIN)["worker"]["name"] == "train-late"


def test_a_job_whose_pod_is_gone_goes_on_with_another(world: World):
    pods = pods_of_all_stages(world, without=StageName.TRAIN)
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
    pods = pods_of_all_stages(world, without=StageName.TRAIN)
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
    pods = pods_of_all_stages(world, without=StageName.TRAIN)
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


class _Workers:
    """Workers of sfm at any address; those in ``holes`` answer once ``filled`` is set."""

    def __init__(self, *holes: str) -> None:
        self.holes = set(holes)
        self.filled = asyncio.Event()
        self.asked: set[str] = set()

    async def describe(self, stage: StageName, address: str) -> worker_pb2.GetWorkerResponse:
        self.asked.add(address)
        if address in self.holes:
            await self.filled.wait()
        return worker_pb2.GetWorkerResponse(instance=address, capacity=1, stage=stage.value)

    def forget(self, address: str) -> None:
        """There are no connections."""


@contextlib.asynccontextmanager
async def _discovering(
    world: World, calls: _Workers
) -> AsyncIterator[tuple[Callable[..., Awaitable[None]], dict[str, bool]]]:
    """Shows endpoints (by the end of their address, and whether they are ready), and what becomes known."""
    where = {"metadata": {"name": "sfm", "namespace": NAMESPACE, "labels": _SFM}, "endpoints": []}
    world.kube.create(SLICES, where)
    known: dict[str, bool] = {}

    def changed(workers: list[Capacity]) -> None:
        known.clear()
        known.update({capacity.worker.name: capacity.open for capacity in workers})

    async def show(**ready: bool) -> None:
        endpoints = [
            {
                "addresses": [f"127.0.2.{name[-1]}"],
                "conditions": {"ready": is_ready},
                "targetRef": {"kind": "Pod", "name": name},
            }
            for name, is_ready in ready.items()
        ]
        await asyncio.to_thread(world.kube.patch, SLICES, NAMESPACE, "sfm", {"endpoints": endpoints})

    api = await connect()
    discovery = Discovery(WorkersConfig(namespace=NAMESPACE), calls, changed)
    running = asyncio.create_task(discovery.run(api))
    try:
        await discovery.synced.wait()
        yield show, known
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await api.close()


async def test_a_pod_that_never_answers_does_not_hold_up_the_others(world: World):
    calls = _Workers("127.0.2.1:50051")
    async with _discovering(world, calls) as (show, known):
        await show(pod1=True, pod2=True)
        await asyncio.to_thread(until, lambda: known == {"pod2": True}, 5)
        await show(pod1=True, pod2=True, pod3=True)
        await asyncio.to_thread(until, lambda: known == {"pod2": True, "pod3": True}, 5)
        await show(pod1=True, pod3=True)
        await asyncio.to_thread(until, lambda: known == {"pod3": True}, 5)


async def test_a_pod_that_turns_unready_gets_nothing_new_before_it_is_asked_why(world: World):
    calls = _Workers()
    async with _discovering(world, calls) as (show, known):
        await show(pod1=True)
        await asyncio.to_thread(until, lambda: known == {"pod1": True}, 5)
        calls.holes = {"127.0.2.1:50051"}
        await show(pod1=False)
        await asyncio.to_thread(until, lambda: known == {"pod1": False}, 5)


async def test_an_answer_that_comes_after_the_pod_has_gone_is_not_believed(world: World):
    calls = _Workers("127.0.2.1:50051")
    async with _discovering(world, calls) as (show, known):
        await show(pod1=True)
        await asyncio.to_thread(until, lambda: calls.asked)
        await show(pod2=True)
        await asyncio.to_thread(until, lambda: known == {"pod2": True}, 5)
        calls.filled.set()
        await show(pod2=True, pod3=True)
        await asyncio.to_thread(until, lambda: known == {"pod2": True, "pod3": True}, 5)
