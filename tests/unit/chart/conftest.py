"""The chart, and its renderings that many tests look at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.chart.rendering import BUCKETS, EXAMPLES, Chart, Manifests, find_helm


@pytest.fixture(scope="session")
def chart() -> Chart:
    """The chart and a Helm; skips where there is none."""
    return Chart(find_helm())


@pytest.fixture(scope="session")
def defaults(chart: Chart) -> Manifests:
    """The chart as it comes."""
    return chart.render()


VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "all-namespaces": {
        "operator": {"watchNamespaces": [], "buckets": [BUCKETS], "sourceSecrets": ["team-keys"]}
    },
    "two-namespaces": {"operator": {"watchNamespaces": ["team-a", "team-b"]}},
    "hpa": {"autoscaling": {"enabled": True, "type": "hpa"}},
    "load-balancer": {"streamer": {"http": {"service": {"type": "LoadBalancer"}}}},
    "narrow-network": {
        "networkPolicy": {
            "probeCidrs": ["10.0.0.0/16"],
            "apiServer": {"cidrs": ["10.96.0.1/32"]},
            "storeCidrs": ["10.1.0.0/16"],
        }
    },
    "everything-off": {
        "crds": {"enabled": False},
        "rbac": {"aggregateToDefaultRoles": False},
        "worker": {"podDisruptionBudget": {"enabled": False}, "topologySpread": {"enabled": False}},
    },
}
"""Values, by what they turn on, that no values file of the chart has."""


@pytest.fixture(
    scope="session", params=[*VARIANTS, *EXAMPLES], ids=lambda given: getattr(given, "stem", given)
)
def rendering(request: pytest.FixtureRequest, chart: Chart) -> Manifests:
    """Each of the renderings that must keep what the chart promises."""
    if request.param in VARIANTS:
        return chart.render(**VARIANTS[request.param])
    return chart.render(request.param)
