"""Statuses as hypothesis makes them: within the CRD's limits, and such that a resource keeps them exactly."""

from __future__ import annotations

from hypothesis import strategies as st

from splatworks_common.reasons import Reason
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

times = st.integers(1, 4_102_444_800)
counts = st.integers(0, 2**53)
figures = st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda x: float(f"{x:.7g}"))
amounts = st.floats(0, 1e15)
words = st.from_regex(r"[a-z][a-z0-9_-]{0,40}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=1024)
metrics = st.dictionaries(words, figures, max_size=32)

workers = st.builds(WorkerRef, words, st.just("") | words, st.just("") | words)
progress = st.builds(
    Progress,
    percent=st.integers(0, 100),
    done=amounts,
    total=amounts,
    eta_seconds=st.none() | st.integers(0, 10**9),
    message=texts,
    unit=st.just("") | words,
    metrics=metrics,
)
artifacts = st.builds(
    Artifact,
    name=words,
    uri=words.map("s3://splatworks/jobs/{}".format),
    size_bytes=counts,
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    media_type=st.just("application/octet-stream"),
)


def stages(name: StageName) -> st.SearchStrategy[StageStatus]:
    return st.builds(
        StageStatus,
        name=st.just(name),
        state=st.sampled_from(StageState),
        attempt=st.integers(1, 1010),
        counted_attempts=st.integers(0, 10),
        uncounted_attempts=st.integers(0, 1000),
        not_before=st.just(0) | times,
        operation=st.just("") | words.map("operations/{}".format),
        worker=st.none() | workers,
        started=st.none() | times,
        ended=st.none() | times,
        progress=progress,
        reason=st.none() | st.sampled_from(Reason),
        message=texts,
        cached=st.booleans(),
        input_digest=st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64),
        outputs=st.lists(artifacts, max_size=16, unique_by=lambda output: output.name).map(tuple),
        metrics=metrics,
    )


conditions = st.builds(
    Condition,
    type=st.sampled_from(ConditionType),
    status=st.booleans(),
    reason=st.sampled_from(["Valid", "WorkerFound", *map(str, Reason)]),
    message=texts,
    since=times,
    generation=counts,
)
results = st.builds(
    JobResult,
    uri=words.map("s3://splatworks/jobs/{}".format),
    viewer_url=st.just("") | words.map("https://splats.example.com/s/{}/".format),
    num_gaussians=st.none() | counts,
    registered_images=st.none() | counts,
    total_images=st.none() | counts,
    psnr=st.none() | figures,
    ssim=st.none() | figures,
    size_bytes=st.none() | counts,
    compression_ratio=st.none() | figures,
)
statuses = st.builds(
    JobStatus,
    phase=st.sampled_from(Phase),
    stages=st.tuples(*map(stages, StageName)),
    message=texts,
    queue_position=st.none() | counts,
    queued=st.none() | times,
    started=st.none() | times,
    completed=st.none() | times,
    conditions=st.lists(conditions, max_size=5, unique_by=lambda condition: condition.type).map(tuple),
    result=results,
    generation=counts,
)
