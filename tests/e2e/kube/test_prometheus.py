"""Every query of the dashboards and rules, asked of a real Prometheus that scrapes the working platform.

It relabels what it scrapes as the chart's PodMonitors say and evaluates the chart's rules. No query asks for
metrics of others, such as those of kube-state-metrics or of the kubelet.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests import monitoring
from tests.e2e.kube.observed import Observed
from tests.monitoring import Query
from tests.prometheus import Prometheus, numbers
from tests.promql import measured

pytestmark = [pytest.mark.kube, pytest.mark.timeout(240)]

NOTHING_TO_SHOW = {"fleet: Errors": "no look at a job had to be repeated"}
"""Panels that are empty while all is well, and why."""

NOTHING_TO_MEASURE = {
    ("SplatworksGrpcErrors", "INTERNAL|UNKNOWN|DATA_LOSS"): "no call has ended with a defect",
    ("SplatworksJobStalled", "offset 30m"): "no job has run for so long",
}
"""What alerts compare and has no data here, by the alert and a piece of the expression, and why."""

RANGE_SECONDS = 300.0
"""More than the platform has been watched for."""


@dataclass(frozen=True)
class Reader:
    """Asks Prometheus what Grafana asks for the dashboards' reader, and what Prometheus asks for a rule.

    Attributes:
        prometheus: Who is asked.
        at: About which moment, and the minutes before it.
        variables: What the reader has chosen.
    """

    prometheus: Prometheus
    at: float
    variables: dict[str, str]

    def now(self, expression: str) -> list[float]:
        """The numbers of an expression at the moment."""
        return numbers(self.prometheus.query(self._filled_in(expression), self.at))

    def lately(self, expression: str) -> list[float]:
        """Its numbers in the minutes before."""
        return numbers(self.prometheus.query_range(self._filled_in(expression), self.at, RANGE_SECONDS))

    def choices(self, variable: Query) -> list[str]:
        """What the reader may choose for a variable."""
        (label,) = variable.shown
        selector = self._filled_in(variable.expression)
        return self.prometheus.label_values(selector, label, self.at, RANGE_SECONDS)

    def _filled_in(self, expression: str) -> str:
        for name, value in self.variables.items():
            expression = expression.replace(f"${name}", value)
        return expression.replace("splatworks/splatworks", self.variables["release"])  # as the chart does


@pytest.fixture
def reader(observed: Observed) -> Reader:
    """A reader who looks at the job that trains."""
    if observed.prometheus is None:
        pytest.skip("needs prometheus (Debian: prometheus)")
    release = f"{observed.namespace}/splatworks"
    chosen = {"release": release, "namespace": observed.namespace, "job": "running"}
    return Reader(observed.prometheus, observed.at, chosen)


PANELS, VARIABLES = (
    [
        query
        for path in monitoring.DASHBOARDS
        for query in monitoring.dashboard_queries(path)
        if (": variable " in query.where) is are_variables
    ]
    for are_variables in (False, True)
)
RULES = list(monitoring.rule_queries())


@pytest.mark.parametrize("query", PANELS, ids=lambda query: query.where)
def test_a_panel_has_something_to_show(query: Query, reader: Reader):
    shown = reader.now(query.expression), reader.lately(query.expression)
    assert [bool(found) for found in shown] == [query.where not in NOTHING_TO_SHOW] * 2


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda query: query.where)
def test_a_variable_offers_what_the_reader_looks_at(variable: Query, reader: Reader):
    name = variable.where.rpartition(" ")[2]
    assert reader.variables[name] in reader.choices(variable)


@pytest.mark.parametrize("query", [*RULES, *PANELS], ids=lambda query: query.where)
def test_what_a_query_measures_is_there(query: Query, reader: Reader):
    for part in measured(query.expression):
        excused = any(query.where == alert and piece in part for alert, piece in NOTHING_TO_MEASURE)
        assert bool(reader.lately(part)) is not excused, part


@pytest.mark.parametrize("query", [query for query in RULES if query.records], ids=lambda query: query.where)
def test_a_recording_rule_has_recorded_what_its_expression_gives(query: Query, reader: Reader):
    assert reader.now(query.expression)
    assert reader.lately(query.records)


def test_prometheus_evaluates_every_rule_of_the_chart_without_an_error(observed: Observed, reader: Reader):
    assert len(observed.rules) == len(RULES)
    assert {(rule["health"], rule.get("lastError", "")) for rule in observed.rules} == {("ok", "")}


def test_no_alert_fires_while_all_is_well(observed: Observed, reader: Reader):
    alerts = [rule for rule in observed.rules if rule["type"] == "alerting"]
    assert len(alerts) == len(monitoring.alerts())
    assert [rule["name"] for rule in alerts if rule["state"] == "firing"] == []
