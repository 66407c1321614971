from __future__ import annotations

from typing import Any, cast

from splatworks_operator.kube.attempt import Attempt
from splatworks_operator.kube.platform import Platform
from splatworks_operator.pipeline import Observation
from splatworks_operator.status import StageName, StageState, StageStatus, WorkerRef

_RUNNING = StageStatus(
    StageName.SFM, state=StageState.RUNNING, operation="operations/a", worker=WorkerRef("sfm-0")
)


def _attempt() -> Attempt:
    return Attempt(cast(Platform, None))


async def test_what_was_heard_is_what_the_next_look_sees():
    attempt, heard = _attempt(), Observation(lost="It is gone.")
    attempt.hear("operations/a", heard)
    assert attempt.has_news(_RUNNING)
    assert await attempt.look(cast(Any, None), _RUNNING) == heard
    assert not attempt.has_news(_RUNNING)


def test_news_of_an_operation_that_is_not_the_current_one_are_none():
    attempt = _attempt()
    attempt.hear("operations/a", Observation())
    assert not attempt.has_news(StageStatus(StageName.SFM))
    assert not attempt.has_news(None)
