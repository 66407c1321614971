from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.operations.meter import Meter
from splatworks_common.progress import Update

STEPS = {"features": 0.25, "matching": 0.75}


def update(step: str, done: float, total: float = 10) -> Update:
    return Update(step, done, total, "Working")


def test_percent_counts_the_steps_before_and_the_share_of_the_current_one():
    assert Meter(STEPS, started=0).read(update("matching", 5), now=1).percent == pytest.approx(62.5)


def test_time_left_follows_from_the_time_so_far():
    assert Meter(STEPS, started=100).read(update("features", 10), now=110).eta_seconds == pytest.approx(30)


def test_no_time_left_is_given_before_there_is_enough_to_go_by():
    assert Meter(STEPS, started=0).read(update("features", 0.1), now=5).eta_seconds is None


def test_time_left_leaves_out_what_an_earlier_attempt_did():
    meter = Meter(STEPS, started=100)
    meter.read(replace(update("features", 10), resumed=10), now=101)

    # A quarter of the work was there, another one took 10 s, so the other half takes 20.
    reading = meter.read(update("matching", 10, total=30), now=110)

    assert reading.percent == pytest.approx(50)
    assert reading.eta_seconds == pytest.approx(20)


def test_a_share_of_the_time_counts_where_units_take_longer_and_longer():
    meter = Meter(STEPS, started=100)
    meter.read(replace(update("features", 5), share=0.2, resumed=5, resumed_share=0.2), now=100)

    # Of the stage's time 5 % were there and another 5 % took 10 s, so the other 90 % take 180.
    reading = meter.read(replace(update("features", 8), share=0.4, resumed=5, resumed_share=0.2), now=110)

    assert reading.percent == pytest.approx(10)
    assert reading.eta_seconds == pytest.approx(180)


def test_a_step_the_stage_does_not_have_is_an_error():
    with pytest.raises(KeyError):
        Meter(STEPS, started=0).read(update("polishing", 1), now=1)


@given(st.lists(st.tuples(st.sampled_from(list(STEPS)), st.floats(-5, 50), st.floats(0, 40))))
def test_percent_stays_between_0_and_100_and_never_goes_back(reports):
    meter, last = Meter(STEPS, started=0), 0.0
    for step, done, total in reports:
        percent = meter.read(update(step, done, total), now=1).percent
        assert last <= percent <= 100
        last = percent
