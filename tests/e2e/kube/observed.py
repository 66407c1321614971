"""The platform as its monitoring sees it at one moment: scraped by the test, and by a Prometheus if any.

At that moment one job has succeeded, one has failed, another trains; beside them a worker behind TLS has
refused a stranger. So nearly every series is there that a platform can have.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from splatworks_operator.kube.metrics import FIGURES
from tests import prometheus
from tests.e2e.kube.jobs import QUICK, Jobs
from tests.e2e.kube.operators import Addresses, Operator, own_namespace
from tests.e2e.kube.platform import SERVICES, Platform
from tests.e2e.kube.release import monitoring
from tests.e2e.kube.waiting import until
from tests.kube.cluster import KubeCluster
from tests.prometheus import Prometheus
from tests.secured_streamer import SecuredStreamer, secured_streamer

MEASURED = {**QUICK, "maxSteps": 20_000}
"""Training that is measured after a twelfth of its steps and lasts for at least half of them."""


@dataclass(frozen=True)
class Scraped:
    """What was scraped at one time, in Prometheus' text format; the workers' by service."""

    workers: dict[str, str]
    operator: str


@dataclass(frozen=True)
class Observed:
    """The platform as its monitoring shows it at one moment.

    Attributes:
        scraped: What its processes export.
        prometheus: What was scraped before; None where there is no Prometheus.
        at: The moment.
        rules: What Prometheus says of the rules then.
        namespace: The release's.
    """

    scraped: Scraped
    prometheus: Prometheus | None
    at: float
    rules: list[dict[str, Any]]
    namespace: str


@contextlib.contextmanager
def observe(
    cluster: KubeCluster, platform: Platform, addresses: Addresses, folder: Path
) -> Iterator[Observed]:
    """Brings the moment about. Jobs and operator are gone then; Prometheus stays, to be asked about it."""
    with contextlib.ExitStack() as stack:
        with (
            own_namespace(cluster, platform, folder / "operator", addresses) as (jobs, operator),
            secured_streamer(platform.store, folder) as secured,
        ):
            operator.wait_until_ready()
            watching = stack.enter_context(
                _watching(cluster, platform, operator, secured, folder / "prometheus")
            )
            exported = _let_happen(jobs, operator, secured)
            rules = [] if watching is None else _rules_after_two_scrapes(watching)
            at = time.time()
            scraped = Scraped({service: platform.shared(service).scrape() for service in SERVICES}, exported)
        yield Observed(scraped, watching, at, rules, jobs.namespace)


@contextlib.contextmanager
def _watching(
    cluster: KubeCluster, platform: Platform, operator: Operator, secured: SecuredStreamer, folder: Path
) -> Iterator[Prometheus | None]:
    """A Prometheus that has seen all processes before anything happens to them, where there is one."""
    program = prometheus.binary()
    if program is None:
        yield None
        return
    monitors, rule = monitoring(cluster, operator.release.namespace)
    workers = {service: platform.shared(service).addresses["metrics"] for service in SERVICES}
    workers["streamer-tls"] = secured.running.addresses["metrics"]
    targets = {"workers": workers, "operator": {"operator": operator.metrics}}
    configs = [_scrape_config(one, targets[one["metadata"]["name"].rpartition("-")[2]]) for one in monitors]
    with Prometheus(program, folder, configs, rule["spec"]) as started:
        until(started.is_ready, "Prometheus is not ready", detail=lambda: started.log)
        until(lambda: started.scrapes() >= 1, "not all is scraped", detail=started.complaint)
        yield started


def _let_happen(jobs: Jobs, operator: Operator, secured: SecuredStreamer) -> str:
    """Lets all happen that the queries are about; returns what the operator exports while a job trains."""
    jobs.create("finished")
    jobs.create("failing", source={"uri": "s3://splatworks/photos/nowhere/"})
    asyncio.run(secured.refuse_a_stranger())
    asyncio.run(secured.fail_an_operation())
    jobs.until_phase("failing", "Failed")
    jobs.until_phase("finished", "Succeeded")
    jobs.create("running", train=MEASURED)
    return until(
        lambda: text if _figures_in(text := operator.scrape()) == set(FIGURES) else None,
        "not all figures of the running job are exported",
        detail=operator.scrape,
    )


def _rules_after_two_scrapes(started: Prometheus) -> list[dict[str, Any]]:
    seen = started.scrapes()
    until(lambda: started.scrapes() >= seen + 2, "not all is scraped again", detail=started.complaint)
    return started.rules()


def _figures_in(text: str) -> set[str]:
    """The figures of a job in progress that are in a scraped text."""
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {sample.labels["figure"] for sample in families["splatworks_job_figure"].samples}


def _scrape_config(monitor: dict[str, Any], targets: dict[str, str]) -> dict[str, Any]:
    """What Prometheus Operator makes of a PodMonitor.

    Args:
        monitor: The PodMonitor.
        targets: Where the metrics of pods are, by component.
    """
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    metadata = monitor["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    instance = monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"]
    return {
        "job_name": name,
        "honor_labels": endpoint.get("honorLabels", False),
        "relabel_configs": [
            {re.sub("[A-Z]", lambda upper: f"_{upper[0].lower()}", key): value for key, value in one.items()}
            for one in endpoint["relabelings"]
        ],
        "static_configs": [
            {
                "targets": [target],
                "labels": {
                    "__meta_kubernetes_namespace": metadata["namespace"],
                    "__meta_kubernetes_pod_label_app_kubernetes_io_instance": instance,
                    "__meta_kubernetes_pod_label_app_kubernetes_io_component": component.partition("-")[0],
                    "namespace": metadata["namespace"],
                    "pod": f"{instance}-{component}",
                    "container": component.partition("-")[0],
                    "endpoint": endpoint["port"],
                },
            }
            for component, target in targets.items()
        ],
    }
