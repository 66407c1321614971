"""The closed set of reasons: one exception type for each, nothing else."""

from __future__ import annotations

import pytest

from splatworks_common.reasons import ERROR_BY_REASON, UNCOUNTED, Reason, StageError


def test_every_reason_has_one_exception_type() -> None:
    assert set(ERROR_BY_REASON) == set(Reason)
    assert len(StageError.__subclasses__()) == len(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_the_exception_type_carries_its_name(reason: Reason) -> None:
    assert ERROR_BY_REASON[reason].__name__ == reason.value
    assert ERROR_BY_REASON[reason].reason is reason


def test_only_the_platforms_faults_are_uncounted() -> None:
    assert {"WorkerLost", "Preempted", "NoFreeSlot", "StorageUnavailable"} == {*map(str, UNCOUNTED)}
