"""Every query of the dashboards and rules, against what the four real services and the operator export.

To what was scraped over HTTP the labels are added that the chart's PodMonitors add.
"""

from __future__ import annotations

import pytest

from tests.drift import QUERIES, asked, catalogue_of, check, scraped_labels
from tests.e2e.kube.observed import Observed
from tests.e2e.kube.platform import SERVICES
from tests.monitoring import Query
from tests.promql import Catalogue

pytestmark = [pytest.mark.kube, pytest.mark.timeout(240)]

ONLY_UNDER_TLS = {"splatworks_tls_certificate_expiry_seconds"}
"""Metrics that a process without certificates lacks; tests/integration/monitoring/test_drift.py has them."""


@pytest.fixture(scope="module")
def catalogue(observed: Observed) -> Catalogue:
    """What really exists."""
    return catalogue_of([*observed.scraped.workers.values(), observed.scraped.operator])


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
def test_a_service_exports_all_that_queries_ask_of_workers(service: str, observed: Observed):
    named = asked(QUERIES)
    workers = {name: scraped_labels(text) for name, text in observed.scraped.workers.items()}
    expected = {name: labels for found in workers.values() for name, labels in found.items() if name in named}
    found = {name: labels for name, labels in workers[service].items() if name in named}
    assert found == expected
    assert {"grpc_server_handled_total", "splatworks_stage_operations_total"} <= found.keys()
