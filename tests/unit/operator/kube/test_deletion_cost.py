from __future__ import annotations

from typing import Any, cast

from splatworks_operator.kube.api import Api
from splatworks_operator.kube.deletion_cost import ANNOTATION, BUSY, IDLE, DeletionCost
from splatworks_operator.kube.discovery import Discovery
from splatworks_operator.kube.slots import SlotTable
from splatworks_operator.status import StageName, WorkerRef


class _Pods:
    """An API server and a discovery that know the trainers' pods alone."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.marks: dict[str, str] = {}
        self.writes = 0

    def pods(self, stage: StageName) -> list[str]:
        return self.names if stage is StageName.TRAIN else []

    async def get(self, path: str) -> dict[str, Any]:
        mark = self.marks.get(path.rpartition("/")[2])
        return {"metadata": {"annotations": {ANNOTATION: mark}} if mark else {}}

    async def patch(self, path: str, body: dict[str, Any]) -> None:
        self.writes += 1
        self.marks[path.rpartition("/")[2]] = body["metadata"]["annotations"][ANNOTATION]


class _Marking:
    def __init__(self, *names: str) -> None:
        self.api, self.slots, self.now = _Pods(*names), SlotTable(), 1000.0
        self.cost = self.another_process()

    def another_process(self) -> DeletionCost:
        return DeletionCost(
            cast(Api, self.api), "here", cast(Discovery, self.api), self.slots, lambda: self.now
        )


async def test_a_pod_that_is_no_longer_busy_keeps_its_mark_a_while_and_then_loses_it():
    marking = _Marking("a", "b")
    marking.slots.hold("job", StageName.TRAIN, WorkerRef("a"))
    await marking.cost.mark()
    assert marking.api.marks == {"a": BUSY}
    marking.slots.release("job")
    marking.now += 29
    await marking.cost.mark()
    assert marking.api.marks == {"a": BUSY}
    marking.now += 2
    await marking.cost.mark()
    assert marking.api.marks == {"a": IDLE}


async def test_nothing_is_written_while_nothing_changes():
    marking = _Marking("a", "b")
    marking.slots.hold("job", StageName.TRAIN, WorkerRef("a"))
    for _ in range(5):
        marking.now += 2
        await marking.cost.mark()
    assert marking.api.writes == 1


async def test_a_mark_that_an_operator_before_this_one_left_is_taken_away():
    marking = _Marking("a", "b")
    marking.slots.hold("job", StageName.TRAIN, WorkerRef("a"))
    await marking.cost.mark()
    marking.slots.release("job")
    await marking.another_process().mark()
    assert marking.api.marks == {"a": IDLE}


async def test_the_only_pod_of_a_stage_is_not_marked():
    marking = _Marking("a")
    marking.slots.hold("job", StageName.TRAIN, WorkerRef("a"))
    await marking.cost.mark()
    assert marking.api.writes == 0
