from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from splatworks_operator.resource import from_resource, to_resource
from splatworks_operator.status import JobResult, JobStatus, Phase, StageName, StageState
from tests.statuses import statuses


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(statuses)
def test_a_status_comes_back_from_its_resource_as_it_was(status):
    assert from_resource(json.loads(json.dumps(to_resource(status)))) == status


def test_a_resource_without_a_status_is_a_new_job():
    assert from_resource({}) == JobStatus()


def test_a_stage_that_a_resource_does_not_know_is_pending():
    resource = to_resource(replace(JobStatus(), phase=Phase.QUEUED))
    del resource["stages"][-1]
    assert from_resource(resource).stage(StageName.PUBLISH).state is StageState.PENDING


def test_figures_are_texts_as_custom_resources_want_them():
    status = replace(JobStatus(), phase=Phase.RUNNING, result=JobResult(psnr=28.123456789))
    assert to_resource(status)["result"]["psnr"] == "28.12346"


@pytest.mark.parametrize("phase", [phase.value.lower() for phase in Phase])
def test_a_phase_of_another_spelling_is_refused(phase):
    with pytest.raises(ValueError, match=phase):
        from_resource({"phase": phase})
