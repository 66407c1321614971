"""How long a job's daemon rests between two steps."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from splatworks_operator.kube.driver import JobDriver
from splatworks_operator.kube.handlers import _idle


@pytest.mark.parametrize(("awake", "seconds"), [(False, 0.0), (True, None), (True, 5.0)])
async def test_a_driver_that_never_rests_still_lets_other_jobs_run(awake: bool, seconds: float | None):
    driver = SimpleNamespace(wake=asyncio.Event(), listens=False)
    if awake:
        driver.wake.set()
    another_job = asyncio.create_task(asyncio.sleep(0))
    for _ in range(3):
        await _idle(cast(JobDriver, driver), seconds)
    assert another_job.done()
