from __future__ import annotations

from dataclasses import replace

import pytest

from splatworks_operator.job import Job
from splatworks_operator.kube.schedule import seconds_until_next_look
from splatworks_operator.spec import SplatJobSpec
from splatworks_operator.status import JobStatus, Phase, StageName, StageState, WorkerRef

_NOW = 1000.0


def _look(status: JobStatus, **spec: object) -> float | None:
    spec = {"source": {"uri": "s3://photos/fox"}, **spec}
    job = Job("uid", "fox", SplatJobSpec.model_validate(spec), "s3://splatworks/jobs/uid", "fox")
    return seconds_until_next_look(job, status, _NOW, 2.0)


def _running() -> JobStatus:
    status = JobStatus(phase=Phase.RUNNING, started=990)
    sfm = replace(status.stage(StageName.SFM), state=StageState.RUNNING, worker=WorkerRef("a"))
    return status.with_stage(sfm)


@pytest.mark.parametrize(
    ("status", "spec", "seconds"),
    [
        (_running(), {}, 2.0),
        (_running(), {"activeDeadlineSeconds": 11}, 1.0),
        (JobStatus(phase=Phase.QUEUED, queued=999, queue_position=3), {}, 15.0),
        (JobStatus(phase=Phase.QUEUED, queued=999, queue_position=3), {"queueDeadlineSeconds": 5}, 4.0),
        (JobStatus(phase=Phase.SUSPENDED), {"activeDeadlineSeconds": 1}, None),
        (JobStatus(phase=Phase.SUCCEEDED, completed=995), {}, None),
        (JobStatus(phase=Phase.SUCCEEDED, completed=995), {"ttlSecondsAfterFinished": 10}, 5.0),
        (JobStatus(phase=Phase.FAILED, completed=900), {"ttlSecondsAfterFinished": 10}, 0.0),
    ],
)
def test_the_next_look_is_due_when_something_may_have_changed(
    status: JobStatus, spec: dict[str, object], seconds: float | None
):
    assert _look(status, **spec) == seconds


def test_a_stage_that_waits_for_its_next_attempt_is_looked_at_when_that_is_due():
    status = JobStatus(phase=Phase.RUNNING, started=990)
    waiting = replace(status.stage(StageName.SFM), not_before=1003, attempt=1)
    assert _look(status.with_stage(waiting)) == 3.0
