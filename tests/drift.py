"""Every query of the chart's rules and dashboards, and what it is checked against: scraped metrics.

Whoever scrapes decides what counts as existing; nothing here starts a process.
"""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from prometheus_client.parser import text_string_to_metric_families

from splatworks_common.identity import NO_CREDENTIALS, WRONG_IDENTITY, WRONG_TOKEN
from splatworks_common.reasons import Reason
from splatworks_operator.kube.metrics import FIGURES
from splatworks_operator.status import Phase, StageName
from tests import monitoring
from tests.monitoring import Query
from tests.promql import Catalogue, Drift, output_labels, selectors

QUERIES = [
    *monitoring.rule_queries(),
    *(query for path in monitoring.DASHBOARDS for query in monitoring.dashboard_queries(path)),
]

_OF_PROMETHEUS = {"up"}

_VALUES = {
    "phase": frozenset(Phase),
    "stage": frozenset(StageName),
    "reason": frozenset(Reason) | {""},
    "outcome": frozenset(Reason) | {"Succeeded"},
    "why": frozenset({NO_CREDENTIALS, WRONG_TOKEN, WRONG_IDENTITY}),
    "figure": frozenset(FIGURES),
    "grpc_code": frozenset(code.name for code in grpc.StatusCode),
}


def scraped_labels(text: str) -> dict[str, frozenset[str]]:
    """The labels of each metric in a scraped text, without those that the scrape adds."""
    labels: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels[sample.name] = labels.get(sample.name, frozenset()) | sample.labels.keys()
    return labels


def catalogue_of(texts: Iterable[str]) -> Catalogue:
    """Metrics and labels in scraped texts, as Prometheus has them, and those that recording rules make.

    Raises:
        Drift: A recording rule names what is in none of the texts.
    """
    labels: dict[str, frozenset[str]] = {name: monitoring.scrape_labels() for name in _OF_PROMETHEUS}
    for text in texts:
        for name, own in scraped_labels(text).items():
            labels[name] = labels.get(name, monitoring.scrape_labels()) | own
    catalogue = Catalogue(labels, _VALUES)
    for query in QUERIES:
        if query.records:
            catalogue = catalogue.with_metric(query.records, output_labels(query.expression, catalogue))
    return catalogue


def check(query: Query, catalogue: Catalogue) -> None:
    """Fails where a query, or the text that shows its result, names what does not exist.

    Raises:
        Drift: It does; the message says what.
    """
    labels = output_labels(query.expression, catalogue)
    if not query.shown <= labels:
        raise Drift(f"{query.where} shows {sorted(query.shown - labels)}; its result has {sorted(labels)}")


def asked(queries: Iterable[Query]) -> set[str]:
    """The metrics that queries name."""
    return {str(selector.name) for query in queries for selector in selectors(query.expression)}
