from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.reasons import Reason
from splatworks_operator.resource import from_resource, to_resource
from splatworks_operator.status import (
    Artifact,
    Condition,
    ConditionType,
    JobResult,
    JobStatus,
    Phase,
    Progress,
    StageName,
    StageState,
    StageStatus,
    WorkerRef,
)

TIMES = st.integers(1, 4_000_000_000)
FIGURES = st.floats(-1e6, 1e6).map(lambda figure: float(f"{figure:.7g}"))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
METRICS = st.dictionaries(NAMES, FIGURES, max_size=3)
PROGRESS = st.builds(
    Progress,
    percent=st.integers(0, 100),
    done=st.floats(0, 1e6),
    total=st.floats(0, 1e6),
    eta_seconds=st.none() | st.integers(0, 10**6),
    message=TEXTS,
    unit=TEXTS,
    metrics=METRICS,
)


def stages(name: StageName):
    return st.builds(
        StageStatus,
        name=st.just(name),
        state=st.sampled_from(StageState),
        attempt=st.integers(1, 40),
        counted_attempts=st.integers(0, 10),
        uncounted_attempts=st.integers(0, 30),
        not_before=st.just(0) | TIMES,
        operation=TEXTS,
        worker=st.none() | st.builds(WorkerRef, NAMES, TEXTS, TEXTS),
        started=st.none() | TIMES,
        ended=st.none() | TIMES,
        progress=PROGRESS,
        reason=st.none() | st.sampled_from(Reason),
        message=TEXTS,
        cached=st.booleans(),
        input_digest=TEXTS,
        outputs=st.lists(
            st.builds(Artifact, TEXTS, TEXTS, st.integers(0, 2**40), TEXTS, TEXTS), max_size=2
        ).map(tuple),
        metrics=METRICS,
    )


STATUSES = st.builds(
    JobStatus,
    phase=st.sampled_from(Phase),
    stages=st.tuples(*(stages(name) for name in StageName)),
    message=TEXTS,
    queue_position=st.none() | st.integers(1, 1000),
    queued=st.none() | TIMES,
    started=st.none() | TIMES,
    completed=st.none() | TIMES,
    conditions=st.lists(
        st.builds(
            Condition, st.sampled_from(ConditionType), st.booleans(), TEXTS, TEXTS, TIMES, st.integers(0, 9)
        ),
        max_size=5,
    ).map(tuple),
    result=st.builds(
        JobResult,
        uri=TEXTS,
        viewer_url=TEXTS,
        num_gaussians=st.none() | st.integers(0, 10**9),
        psnr=st.none() | FIGURES,
        compression_ratio=st.none() | FIGURES,
    ),
    generation=st.integers(0, 100),
)


@given(STATUSES)
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
