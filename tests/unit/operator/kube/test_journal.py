from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from splatworks_common.logs import JsonFormatter
from splatworks_common.reasons import Reason
from splatworks_operator.job import Job
from splatworks_operator.kube.journal import Journal
from splatworks_operator.pipeline import Failure, Observation, reconcile
from splatworks_operator.spec import SplatJobSpec
from splatworks_operator.status import JobStatus, Progress, WorkerRef

_SPEC = SplatJobSpec.model_validate({"source": {"uri": "s3://photos/fox"}})
_JOB = Job("uid", "fox", _SPEC, "s3://p/jobs/uid", slug="fox", namespace="team")
_STARTED = Observation(offer=WorkerRef("sfm-0", "10.0.0.7:50051", "instance"))


def _lines(caplog: pytest.LogCaptureFixture, *observed: Observation) -> list[dict[str, object]]:
    """What is written of a job that sees these things one after another."""
    caplog.set_level(logging.INFO)
    journal, status = Journal(), JobStatus()
    for now, observation in enumerate(observed):
        before = status
        status, _ = reconcile(_JOB, before, observation, now)
        journal.written(_JOB, before, status)
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


def test_a_transition_is_one_line_that_names_job_stage_attempt_and_worker(caplog: pytest.LogCaptureFixture):
    [line] = _lines(caplog, _STARTED)
    found = {name: line[name] for name in ("namespace", "job", "transition", "stage", "attempt", "worker")}
    assert list(found.values()) == ["team", "fox", "StageStarted", "sfm", 1, "sfm-0"]
    assert line["level"] == "info"


def test_progress_is_no_line(caplog: pytest.LogCaptureFixture):
    assert len(_lines(caplog, _STARTED, Observation(progress=Progress(percent=50)))) == 1


def test_a_failed_attempt_is_a_warning_with_its_reason(caplog: pytest.LogCaptureFixture):
    failure = Failure(Reason.WORKER_LOST, "It is gone.")
    line = _lines(caplog, _STARTED, Observation(failure=failure))[-1]
    assert (line["level"], line["reason"], line["stage"]) == ("warning", "WorkerLost", "sfm")


def test_a_job_that_is_over_has_a_line_of_its_own(caplog: pytest.LogCaptureFixture):
    refused = replace(Observation(), refused="The bucket is not allowed.")
    [line] = _lines(caplog, refused)
    assert (line["transition"], line["reason"]) == ("Failed", "InputInvalid")
