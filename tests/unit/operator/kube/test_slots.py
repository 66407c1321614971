from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from splatworks_operator.kube.slots import Capacity, SlotTable
from splatworks_operator.queueing import Waiting
from splatworks_operator.status import StageName, WorkerRef

_TRAIN = StageName.TRAIN
_A, _B = (WorkerRef(name, f"{name}:1", f"{name}-process") for name in "ab")


def _waiting(uid: str, *, priority: int = 0, ready: bool = True) -> Waiting:
    return Waiting(uid, _TRAIN, priority, created=0, ready=ready)


def _nothing() -> None:
    pass


async def test_a_free_slot_is_given_at_once_and_kept_until_released():
    table = SlotTable()
    table.set_workers([Capacity(_A, _TRAIN, 1)])
    assert await table.ask(_waiting("one"), _nothing) == (_A, None)
    assert await table.ask(_waiting("one"), _nothing) == (_A, None)
    assert await table.ask(_waiting("two"), _nothing) == (None, 1)
    table.release("one")
    assert await table.ask(_waiting("two"), _nothing) == (_A, None)


async def test_who_waits_is_woken_when_a_slot_becomes_free():
    table, woken = SlotTable(), []
    table.set_workers([Capacity(_A, _TRAIN, 1)])
    table.hold("running", _TRAIN, _A)
    await table.ask(_waiting("low"), lambda: woken.append("low"))
    await table.ask(_waiting("high", priority=1), lambda: woken.append("high"))
    table.release("running")
    await table.ask(_waiting("another"), _nothing)
    assert woken == ["high"]
    assert await table.ask(_waiting("high", priority=1), _nothing) == (_A, None)


async def test_who_is_not_ready_keeps_its_place_and_takes_no_slot():
    table = SlotTable()
    table.set_workers([Capacity(_A, _TRAIN, 1)])
    assert await table.ask(_waiting("later", ready=False), _nothing) == (None, 1)
    assert await table.ask(_waiting("now"), _nothing) == (_A, None)


async def test_a_reservation_on_a_worker_that_closed_meanwhile_is_given_up():
    table = SlotTable()
    table.set_workers([Capacity(_A, _TRAIN, 1)])
    await table.ask(_waiting("one"), _nothing)
    table.set_workers([Capacity(_A, _TRAIN, 1, open=False), Capacity(_B, _TRAIN, 1)])
    assert await table.ask(_waiting("one"), _nothing) == (_B, None)


async def test_what_a_process_that_is_gone_ran_takes_no_slot_of_the_one_in_its_place():
    table = SlotTable()
    table.hold("old", _TRAIN, WorkerRef("a", "a:1", "the-one-before"))
    table.set_workers([Capacity(_A, _TRAIN, 1)])
    assert await table.ask(_waiting("new"), _nothing) == (_A, None)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["ask", "release", "resize"]), st.integers(0, 7), st.integers(0, 3)),
        max_size=40,
    )
)
async def test_no_worker_is_ever_given_more_than_it_has(steps: list[tuple[str, int, int]]):
    table, slots = SlotTable(), {"a": 2, "b": 2}
    given: dict[str, str] = {}
    table.set_workers([Capacity(_A, _TRAIN, 2), Capacity(_B, _TRAIN, 2)])
    for step, number, size in steps:
        uid = f"job-{number}"
        if step == "ask":
            worker, _ = await table.ask(_waiting(uid, priority=size), _nothing)
            if worker is not None and uid not in given:
                held = Counter(hold.worker.name for hold in table.holds)
                assert held[worker.name] <= max(slots[worker.name], Counter(given.values())[worker.name] + 1)
                given[uid] = worker.name
        elif step == "release":
            table.release(uid)
            given.pop(uid, None)
        held = Counter(hold.worker.name for hold in table.holds)
        assert all(held[name] <= 2 for name in held)
