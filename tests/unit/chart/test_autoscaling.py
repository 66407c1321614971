from __future__ import annotations

import re
from typing import Any

import prometheus_client
import pytest

from splatworks_operator.kube.driver import JobDriver
from splatworks_operator.kube.metrics import OperatorMetrics
from splatworks_operator.kube.slots import SlotTable
from splatworks_operator.status import StageName
from tests.unit.chart.rendering import WORKERS, Chart, Manifests

STAGES = {"sfm": "sfm", "trainer": "train", "compressor": "compress", "streamer": "publish"}


@pytest.fixture(scope="module")
def keda(chart: Chart) -> Manifests:
    return chart.render(
        autoscaling={"enabled": True, "keda": {"prometheusURL": "http://prometheus.monitoring.svc:9090"}},
        trainer={"capacity": 2},
    )


@pytest.fixture(scope="module")
def hpa(chart: Chart) -> Manifests:
    return chart.render(autoscaling={"enabled": True, "type": "hpa"}, trainer={"capacity": 2})


def test_workers_keep_their_number_by_default(defaults: Manifests):
    assert not defaults.of("ScaledObject")
    assert not defaults.of("HorizontalPodAutoscaler")
    for worker in WORKERS:
        assert defaults.get("Deployment", f"splatworks-{worker}")["spec"]["replicas"] == 1


def test_the_stages_are_the_pipelines():
    assert set(STAGES.values()) == {stage.value for stage in StageName}


@pytest.mark.parametrize("worker", WORKERS)
def test_an_upgrade_does_not_undo_what_the_scaler_did(keda: Manifests, hpa: Manifests, worker: str):
    for manifests in (keda, hpa):
        assert "replicas" not in manifests.get("Deployment", f"splatworks-{worker}")["spec"]


@pytest.mark.parametrize("worker", WORKERS)
def test_keda_counts_queued_and_running_stages(keda: Manifests, worker: str):
    selector = f'{{release="demo/splatworks",stage="{STAGES[worker]}"}}'
    assert trigger(keda, worker)["query"] == (
        f"sum(splatworks_queue_depth{selector}) + sum(splatworks_stages_running{selector})"
    )


def test_two_releases_of_a_namespace_are_not_added_up(chart: Chart, keda: Manifests):
    settings = {"enabled": True, "keda": {"prometheusURL": "http://prometheus.monitoring.svc:9090"}}
    other = chart.render(release="other", autoscaling=settings)
    (found,) = other.get("ScaledObject", "other-splatworks-sfm")["spec"]["triggers"]
    assert 'release="demo/other"' in found["metadata"]["query"]
    assert 'release="demo/splatworks"' in trigger(keda, "sfm")["query"]


def test_a_pod_is_wished_for_every_slot_that_is_wanted(keda: Manifests, hpa: Manifests):
    assert trigger(keda, "trainer")["threshold"] == "2"
    (metric,) = hpa.get("HorizontalPodAutoscaler", "splatworks-trainer")["spec"]["metrics"]
    assert metric["external"]["target"] == {"type": "AverageValue", "averageValue": "2"}


def test_no_answer_is_not_taken_for_no_work(keda: Manifests):
    assert trigger(keda, "sfm")["ignoreNullValues"] == "false"


def test_keda_scales_to_zero_but_keeps_the_pages(keda: Manifests):
    least = {
        worker: keda.get("ScaledObject", f"splatworks-{worker}")["spec"]["minReplicaCount"]
        for worker in WORKERS
    }
    assert least == {"sfm": 0, "trainer": 0, "compressor": 0, "streamer": 1}


@pytest.mark.parametrize("worker", WORKERS)
def test_an_hpa_keeps_one_pod(hpa: Manifests, worker: str):
    spec = hpa.get("HorizontalPodAutoscaler", f"splatworks-{worker}")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 4)
    assert spec["scaleTargetRef"]["name"] == f"splatworks-{worker}"


@pytest.mark.parametrize("worker", WORKERS)
def test_an_hpa_reads_the_demand_for_its_stage(hpa: Manifests, worker: str):
    (metric,) = hpa.get("HorizontalPodAutoscaler", f"splatworks-{worker}")["spec"]["metrics"]
    assert metric["external"]["metric"] == {
        "name": "splatworks_stage_demand",
        "selector": {"matchLabels": {"stage": STAGES[worker]}},
    }


def trigger(manifests: Manifests, worker: str) -> dict[str, Any]:
    (found,) = manifests.get("ScaledObject", f"splatworks-{worker}")["spec"]["triggers"]
    return dict(found["metadata"])


class NoJobs:
    """An operator that has nothing to do."""

    def snapshot(self) -> list[JobDriver]:
        return []


def test_keda_asks_for_series_that_an_idle_operator_has(keda: Manifests):
    registry = prometheus_client.CollectorRegistry()
    OperatorMetrics(registry).export_tables(NoJobs(), SlotTable())
    for worker in WORKERS:
        for name in re.findall(r"splatworks_\w+", trigger(keda, worker)["query"]):
            assert registry.get_sample_value(name, {"stage": STAGES[worker]}) == 0
