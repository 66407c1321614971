from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.chart.rendering import EXTERNAL_STORE, WORKERS, Chart, Manifests


def test_the_release_denies_everything_first(defaults: Manifests):
    policy = defaults.get("NetworkPolicy", "splatworks-default-deny")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(policy)
    for pod in defaults.pods():
        assert _selects(policy, pod.metadata["labels"]), pod.name


def test_every_port_of_every_pod_is_in_a_policy(rendering: Manifests):
    for pod in rendering.pods():
        declared = {port["containerPort"] for port in pod.container.get("ports", [])}
        allowed = {
            port["port"]
            for policy in _policies_of(rendering, pod.metadata["labels"])
            for rule in policy.get("ingress", [])
            for port in rule["ports"]
        }
        assert allowed == declared, pod.name


def test_every_rule_names_its_ports(rendering: Manifests):
    for policy in rendering.of("NetworkPolicy"):
        for rule in [*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])]:
            assert rule["ports"], policy["metadata"]["name"]


@pytest.mark.parametrize("worker", WORKERS)
def test_only_the_operator_calls_a_worker(defaults: Manifests, worker: str):
    (rule,) = _rules(defaults, worker, "ingress", 50051)
    assert [_component(peer) for peer in rule["from"]] == ["operator"]


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_reaches_the_store_and_dns_and_nothing_else(defaults: Manifests, worker: str):
    policy = defaults.get("NetworkPolicy", f"splatworks-{worker}")["spec"]
    assert [{port["port"] for port in rule["ports"]} for rule in policy["egress"]] == [{53}, {8333}]
    assert [_component(peer) for peer in policy["egress"][1]["to"]] == ["store"]


def test_the_operator_reaches_every_worker(defaults: Manifests):
    (rule,) = _rules(defaults, "operator", "egress", 50051)
    ((expression,),) = [peer["podSelector"]["matchExpressions"] for peer in rule["to"]]
    assert set(expression["values"]) == set(WORKERS)


def test_the_embedded_store_reaches_nothing(defaults: Manifests):
    policy = defaults.get("NetworkPolicy", "splatworks-store")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy


def test_only_prometheus_reads_metrics(defaults: Manifests):
    for component in (*WORKERS, "operator"):
        (rule,) = _rules(defaults, component, "ingress", 9090)
        (peer,) = rule["from"]
        assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}
        assert peer["namespaceSelector"]


def test_only_the_ingress_opens_the_pages(defaults: Manifests):
    (rule,) = _rules(defaults, "streamer", "ingress", 8080)
    (peer,) = rule["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress-nginx"}


def test_a_load_balancer_opens_the_pages_to_anybody(chart: Chart):
    manifests = chart.render(streamer={"http": {"service": {"type": "LoadBalancer"}}})
    (rule,) = _rules(manifests, "streamer", "ingress", 8080)
    assert "from" not in rule


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://s3.example.com", 443),
        ("http://s3.example.com", 80),
        ("https://minio.minio.svc:9000/", 9000),
        ("https://[2001:db8::1]", 443),
        ("https://[2001:db8::1]:8443", 8443),
    ],
)
def test_an_external_store_is_reached_on_the_port_of_its_url(chart: Chart, url: str, port: int):
    store = {**EXTERNAL_STORE["store"], "external": {"url": url}}
    policy = chart.render(store=store).get("NetworkPolicy", "splatworks-sfm")["spec"]
    assert [found["port"] for found in policy["egress"][1]["ports"]] == [port]


def test_cloud_metadata_is_never_reached(chart: Chart):
    policy = chart.render(**EXTERNAL_STORE).get("NetworkPolicy", "splatworks-sfm")["spec"]
    (internet, _) = policy["egress"][1]["to"]
    assert internet["ipBlock"]["except"] == ["169.254.0.0/16"]


def test_addresses_narrow_what_is_allowed(chart: Chart):
    manifests = chart.render(
        networkPolicy={"probeCidrs": ["10.0.0.0/16"], "apiServer": {"cidrs": ["10.96.0.1/32"]}}
    )
    (probes,) = _rules(manifests, "sfm", "ingress", 50052)
    assert probes["from"] == [{"ipBlock": {"cidr": "10.0.0.0/16"}}]
    (api,) = _rules(manifests, "operator", "egress", 6443)
    assert api["to"] == [{"ipBlock": {"cidr": "10.96.0.1/32"}}]


def test_policies_can_be_left_out(chart: Chart):
    assert not chart.render(networkPolicy={"enabled": False}).of("NetworkPolicy")


def _rules(manifests: Manifests, component: str, direction: str, port: int) -> list[Mapping[str, Any]]:
    policy = manifests.get("NetworkPolicy", f"splatworks-{component}")["spec"]
    return [rule for rule in policy[direction] if port in {found["port"] for found in rule["ports"]}]


def _policies_of(manifests: Manifests, labels: Mapping[str, str]) -> list[Mapping[str, Any]]:
    return [policy["spec"] for policy in manifests.of("NetworkPolicy") if _selects(policy["spec"], labels)]


def _selects(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return bool(policy["podSelector"]["matchLabels"].items() <= labels.items())


def _component(peer: Mapping[str, Any]) -> str:
    return str(peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"])
