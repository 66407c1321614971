from __future__ import annotations

import asyncio
import logging

import pytest

from splatworks_operator.kube.background import Background, EndedByItself


async def _forever() -> None:
    await asyncio.Event().wait()


async def _fails() -> None:
    raise KeyError("a defect")


async def _returns() -> None:
    pass


@pytest.mark.parametrize("ends", [_fails, _returns])
async def test_work_is_cancelled_when_a_task_ends_by_itself(ends):
    background, cancelled = Background(), asyncio.Event()

    async def work() -> None:
        try:
            await _forever()
        finally:
            cancelled.set()

    background.start("the watch", _forever())
    background.start("discovery", ends())
    with pytest.raises(EndedByItself, match="discovery ended by itself"):
        await background.during(work())
    assert cancelled.is_set()
    assert background.complaint() == "discovery ended by itself"
    await background.stop()


async def test_a_task_that_ends_while_nobody_waits_is_told_at_once_and_later(
    caplog: pytest.LogCaptureFixture,
):
    background = Background()
    background.start("discovery", _fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert background.complaint() == "discovery ended by itself"
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.CRITICAL, "discovery ended by itself")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)
    with pytest.raises(EndedByItself):
        await background.during(_forever())
    await background.stop()


async def test_work_that_is_done_is_answered_and_work_that_fails_is_raised():
    background = Background()
    background.start("discovery", _forever())

    async def answer() -> int:
        return 7

    assert await background.during(answer()) == 7
    with pytest.raises(KeyError):
        await background.during(_fails())
    assert background.complaint() == ""
    await background.stop()


async def test_tasks_that_are_stopped_have_not_ended_by_themselves(caplog: pytest.LogCaptureFixture):
    background = Background()
    background.start("discovery", _forever())
    await background.stop()
    assert background.complaint() == ""
    assert caplog.records == []
