from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from splatworks_operator.queueing import Slots, Waiting, assign
from splatworks_operator.status import StageName, WorkerRef

SFM, TRAIN = StageName.SFM, StageName.TRAIN


def slots(name: str, free: int = 1, stage: StageName = SFM) -> Slots:
    return Slots(WorkerRef(name), stage, free)


def test_the_highest_priority_goes_first():
    waiting = [Waiting("low", SFM, 0, created=1), Waiting("high", SFM, 5, created=9)]
    assert list(assign(waiting, [slots("w")]).offers) == ["high"]


def test_among_equals_the_oldest_goes_first():
    waiting = [Waiting("young", SFM, 0, created=9), Waiting("old", SFM, 0, created=1)]
    assert list(assign(waiting, [slots("w")]).offers) == ["old"]


def test_those_who_wait_are_told_their_place_in_their_own_stages_queue():
    waiting = [Waiting("a", SFM, 0, 1), Waiting("b", SFM, 0, 2), Waiting("c", TRAIN, 0, 3)]
    assert assign(waiting, []).positions == {"a": 1, "b": 2, "c": 1}


def test_work_spreads_over_the_emptiest_workers():
    waiting = [Waiting(uid, SFM, 0, 0) for uid in "abc"]
    offers = assign(waiting, [slots("x", 1), slots("y", 2)]).offers
    assert [offers[uid].name for uid in "abc"] == ["y", "x", "y"]


def test_a_job_that_may_not_start_yet_lets_others_pass():
    waiting = [Waiting("first", SFM, 0, 1, ready=False), Waiting("second", SFM, 0, 2)]
    found = assign(waiting, [slots("w")])
    assert (list(found.offers), found.positions) == (["second"], {"first": 1})


@given(
    st.lists(
        st.builds(
            Waiting, st.uuids().map(str), st.sampled_from(StageName), st.integers(-2, 2), st.integers(0, 9)
        )
    ),
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(StageName)), max_size=6),
)
def test_no_worker_is_given_more_than_it_has_free_and_none_idles_while_a_job_waits(waiting, workers):
    given_slots = [slots(f"w{number}", free, stage) for number, (free, stage) in enumerate(workers)]
    found = assign(waiting, given_slots)
    taken = Counter(worker.name for worker in found.offers.values())
    assert all(taken[slot.worker.name] <= slot.free for slot in given_slots)
    assert set(found.offers) | set(found.positions) == {job.uid for job in waiting}
    for stage in StageName:
        free = sum(slot.free - taken[slot.worker.name] for slot in given_slots if slot.stage is stage)
        queued = any(job.uid in found.positions for job in waiting if job.stage is stage)
        assert not (free and queued)
