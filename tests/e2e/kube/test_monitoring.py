"""Every query of the dashboards and rules, against what the four real services and the operator export.

They are scraped over HTTP when one job has succeeded and another trains; then each series that a healthy
platform has is there. To these the labels are added that the chart's PodMonitors add.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from splatworks_operator.kube.metrics import FIGURES
from tests.drift import QUERIES, asked, catalogue_of, check, scraped_labels
from tests.e2e.kube.jobs import QUICK
from tests.e2e.kube.operators import Addresses, own_namespace
from tests.e2e.kube.platform import SERVICES, Platform
from tests.e2e.kube.waiting import until
from tests.kube.cluster import KubeCluster
from tests.monitoring import Query
from tests.promql import Catalogue

pytestmark = [pytest.mark.kube, pytest.mark.timeout(240)]

ONLY_UNDER_TLS = {"splatworks_tls_certificate_expiry_seconds"}
"""Metrics that a process without certificates lacks; tests/integration/monitoring/test_drift.py has them."""

MEASURED = {**QUICK, "maxSteps": 20_000}
"""Training that is measured after a twelfth of its steps and lasts for at least half of them."""


@dataclass(frozen=True)
class Scraped:
    """What was scraped at one time, in Prometheus' text format; the workers' by service."""

    workers: dict[str, str]
    operator: str


def figures_in(text: str) -> set[str]:
    """The figures of a job in progress that are in a scraped text."""
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {sample.labels["figure"] for sample in families["splatworks_job_figure"].samples}


@pytest.fixture(scope="module")
def scraped(
    splatjob_cluster: KubeCluster,
    platform: Platform,
    shared_addresses: Addresses,
    tmp_path_factory: pytest.TempPathFactory,
) -> Scraped:
    folder = tmp_path_factory.mktemp("monitoring") / "operator"
    with own_namespace(splatjob_cluster, platform, folder, shared_addresses) as (jobs, operator):
        jobs.create("finished")
        jobs.until_phase("finished", "Succeeded")
        jobs.create("running", train=MEASURED)
        text = until(
            lambda: text if figures_in(text := operator.scrape()) == set(FIGURES) else None,
            "not all figures of the running job are exported",
            detail=operator.scrape,
        )
        return Scraped({service: platform.shared(service).scrape() for service in SERVICES}, text)


@pytest.fixture(scope="module")
def catalogue(scraped: Scraped) -> Catalogue:
    """What really exists."""
    return catalogue_of([*scraped.workers.values(), scraped.operator])


@pytest.mark.parametrize(
    "query",
    [query for query in QUERIES if not asked([query]) & ONLY_UNDER_TLS],
    ids=lambda query: query.where,
)
def test_a_query_names_only_what_the_platform_exports(query: Query, catalogue: Catalogue):
    check(query, catalogue)


def test_queries_ask_for_nothing_else_that_the_platform_lacks(catalogue: Catalogue):
    assert asked(QUERIES) - catalogue.labels.keys() == ONLY_UNDER_TLS


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_exports_all_that_queries_ask_of_workers(service: str, scraped: Scraped):
    named = asked(QUERIES)
    workers = {name: scraped_labels(text) for name, text in scraped.workers.items()}
    expected = {name: labels for found in workers.values() for name, labels in found.items() if name in named}
    found = {name: labels for name, labels in workers[service].items() if name in named}
    assert found == expected
    assert {"grpc_server_handled_total", "splatworks_stage_operations_total"} <= found.keys()
