"""Every query of the dashboards and rules, with no exception, against metrics in which all series exist.

Scraped over HTTP are two processes: the real streamer behind TLS, after it has refused a stranger and failed
an operation, and the toy service of the common library's tests, after it has finished one. The operator's
metrics are its real registry, filled in this process with statuses made here; no operator runs. What the
whole platform exports while it works is the matter of ``tests/e2e/kube/test_monitoring.py``.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from splatworks.v1 import sfm_pb2, sfm_pb2_grpc
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.operations.channels import connect
from splatworks_common.operations.client import StageClient
from splatworks_common.reasons import Reason
from splatworks_operator.job import Job
from splatworks_operator.kube.faults import Fault
from splatworks_operator.kube.metrics import FIGURES, HasJobs, OperatorMetrics
from splatworks_operator.kube.slots import SlotTable
from splatworks_operator.status import JobStatus, Phase, Progress, StageState
from tests.drift import QUERIES, asked, catalogue_of, check
from tests.integration.common.test_server import TOY, Running
from tests.monitoring import Query
from tests.promql import Catalogue, Drift
from tests.secured_streamer import secured_streamer


async def _scrape_streamer(store: StoreSettings, folder: Path) -> str:
    with secured_streamer(store, folder) as streamer:
        await streamer.refuse_a_stranger()
        await streamer.fail_an_operation()
        return streamer.running.metrics()


async def _scrape_toy(store: StoreSettings, folder: Path) -> str:
    with ArtifactStore(store) as artifacts:
        artifacts.put_bytes(artifacts.uri("monitoring/photos/a.jpg"), b"a")
    running = Running(store, folder, command=TOY)
    try:
        async with connect(running.addresses["grpc"]) as channel:
            reconstruct = sfm_pb2_grpc.SfmServiceStub(channel).Reconstruct
            stage = StageClient(reconstruct, sfm_pb2.ReconstructResponse, channel)
            request = sfm_pb2.ReconstructRequest(
                request_id="drift.toy.1",
                photos_uri=f"s3://{store.bucket}/monitoring/photos",
                output_uri=f"s3://{store.bucket}/monitoring/succeed",
            )
            await stage.wait((await stage.start(request)).name, 60)
        return running.metrics()
    finally:
        running.close()


def _operator_text() -> str:
    """The operator's metrics while a job runs, after one has failed and a look had to be repeated."""
    registry = prometheus_client.CollectorRegistry()
    metrics = OperatorMetrics(registry)
    before = JobStatus()
    progress = Progress(percent=10, eta_seconds=60, metrics=dict.fromkeys(FIGURES, 1.0))
    first, *others = before.stages
    running = replace(first, state=StageState.RUNNING, attempt=1, progress=progress)
    failed = replace(running, state=StageState.FAILED, counted_attempts=1, reason=Reason.INTERNAL)
    driver = SimpleNamespace(
        status=replace(before, phase=Phase.RUNNING, stages=(running, *others)),
        resource={"metadata": {"namespace": "team", "name": "church"}},
    )
    metrics.written(cast(Job, None), before, replace(before, phase=Phase.FAILED, stages=(failed, *others)))
    metrics.error(Fault.API)
    metrics.export_tables(cast(HasJobs, SimpleNamespace(snapshot=lambda: [driver])), SlotTable())
    return prometheus_client.generate_latest(registry).decode()


@pytest.fixture(scope="module")
def catalogue(object_store: StoreSettings, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """What really exists."""
    streamer, toy = tmp_path_factory.mktemp("streamer"), tmp_path_factory.mktemp("toy")

    async def scrape() -> list[str]:
        return [
            await _scrape_streamer(object_store, streamer),
            await _scrape_toy(object_store, toy),
        ]

    return catalogue_of([*asyncio.run(scrape()), _operator_text()])


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_a_query_names_only_what_exists(query: Query, catalogue: Catalogue) -> None:
    check(query, catalogue)


@pytest.mark.parametrize(
    "mutate",
    [
        lambda query: replace(query, expression=query.expression.replace("splatworks_", "splatwork_")),
        lambda query: replace(query, expression=query.expression.replace("{release=", "{rel=")),
        lambda query: replace(query, shown=query.shown | {"colour"}),
    ],
    ids=["metric", "matcher", "legend"],
)
def test_a_misspelled_query_is_found(mutate: Any, catalogue: Catalogue) -> None:
    for query in QUERIES:
        mutant = mutate(query)
        if mutant != query:
            with pytest.raises(Drift):
                check(mutant, catalogue)


def test_every_metric_of_the_operator_is_shown_or_watched() -> None:
    named = asked(QUERIES)
    exported = {
        family.name: {sample.name for sample in family.samples} | {family.name}
        for family in text_string_to_metric_families(_operator_text())
        if not family.name.endswith("_created")
    }

    assert [name for name, samples in exported.items() if not samples & named] == []
