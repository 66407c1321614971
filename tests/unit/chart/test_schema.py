from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.unit.chart.rendering import CHART, EXTERNAL_STORE, Chart, Refused

SCHEMA = json.loads((CHART / "values.schema.json").read_text())

TYPOS: list[tuple[dict[str, Any], str]] = [
    ({"operators": {}}, "operators"),
    ({"sfm": {"replica": 2}}, "replica"),
    ({"sfm": {"http": {}}}, "http"),
    ({"trainer": {"gpu": {"enable": True}}}, "enable"),
    ({"trainer": {"resources": {"limit": {}}}}, "limit"),
    ({"worker": {"tolerations": [{"keys": "spot"}]}}, "keys"),
    ({"store": {"external": {"URL": "https://s3.example.com"}}}, "URL"),
    ({"store": {"embedded": {"persistence": {"storageClassName": "fast"}}}}, "storageClassName"),
    ({"tls": {"selfSigned": {"rotateCa": True}}}, "rotateCa"),
    ({"networkPolicy": {"dns": [{"cidr": "10.0.0.0/8"}]}}, "cidr"),
    ({"monitoring": {"podMonitor": {"intervall": "30s"}}}, "intervall"),
    ({"imagePullSecrets": [{"secret": "registry"}]}, "secret"),
    ({"operator": {"buckets": [{"namespaces": ["*"], "sources": ["a"], "output": ["a"]}]}}, "sources"),
]

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sfm": {"replicas": "2"}}, "sfm/replicas"),
    ({"sfm": {"replicas": -1}}, "sfm/replicas"),
    ({"worker": {"capacity": 0}}, "worker/capacity"),
    ({"worker": {"memoryLimitMb": 8}}, "worker/memoryLimitMb"),
    ({"worker": {"scratchSize": "10 GB"}}, "worker/scratchSize"),
    ({"worker": {"logLevel": "verbose"}}, "worker/logLevel"),
    ({"worker": {"podDisruptionBudget": {"maxUnavailable": "half"}}}, "maxUnavailable"),
    ({"worker": {"env": {"NOT-A-NAME": "1"}}}, "NOT-A-NAME"),
    ({"worker": {"env": {"ONE": 1}}}, "worker/env/ONE"),
    ({"image": {"pullPolicy": "Sometimes"}}, "image/pullPolicy"),
    ({"image": {"tag": "not a tag"}}, "image/tag"),
    ({"operator": {"image": {"digest": "sha256:short"}}}, "operator/image/digest"),
    ({"operator": {"watchNamespaces": "all"}}, "operator/watchNamespaces"),
    ({"operator": {"viewerBaseURL": "splats.example.com"}}, "operator/viewerBaseURL"),
    ({"store": {"mode": "s3"}}, "store/mode"),
    ({"store": {"bucket": "Not_A_Bucket"}}, "store/bucket"),
    ({"store": {"external": {"url": "s3.example.com"}}}, "store/external/url"),
    ({"store": {"external": {"url": "https://key:secret@s3.example.com"}}}, "store/external/url"),
    ({"store": {"external": {"sse": "AES256"}}}, "store/external/sse"),
    ({"tls": {"mode": "none"}}, "tls/mode"),
    ({"tls": {"certManager": {"issuerRef": {"kind": "ClusterIssuer"}}}}, "name"),
    ({"networkPolicy": {"probeCidrs": ["10.0.0.1"]}}, "networkPolicy/probeCidrs"),
    ({"networkPolicy": {"apiServer": {"ports": [0]}}}, "networkPolicy/apiServer/ports"),
    ({"autoscaling": {"type": "vpa"}}, "autoscaling/type"),
    ({"streamer": {"ingress": {"hosts": ["https://splats.example.com"]}}}, "streamer/ingress/hosts"),
    ({"fullnameOverride": "Upper"}, "fullnameOverride"),
    ({"test": {"timeout": "20 minutes"}}, "test/timeout"),
]

CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"store": {"mode": "external"}}, "store.external.url is empty"),
    (
        {"store": {"mode": "external", "external": {"url": "https://s3.example.com"}}},
        "store.existingSecret is empty",
    ),
    (
        {
            "store": {
                "mode": "external",
                "existingSecret": "keys",
                "external": {"url": "http://s3.example.com", "caSecret": "ca"},
            }
        },
        "store.external.url is plain http",
    ),
    ({"store": {"external": {"url": "https://s3.example.com"}}}, "store.mode is embedded"),
    ({"store": {"external": {"lifecycle": {"enabled": True}}}}, "the embedded store has no lifecycle rules"),
    ({"autoscaling": {"enabled": True}}, "autoscaling.keda.prometheusURL is empty"),
    ({"sfm": {"autoscaling": {"minReplicas": 5}}}, "sfm.autoscaling.minReplicas is larger"),
    ({"streamer": {"ingress": {"enabled": True}}}, "streamer.ingress.hosts is empty"),
    ({"operator": {"watchNamespaces": []}}, "every namespace could read all of the bucket splatworks"),
]


@pytest.mark.parametrize(("values", "typo"), TYPOS, ids=[typo for _, typo in TYPOS])
def test_a_name_that_is_not_there_is_refused_by_name(chart: Chart, values: dict[str, Any], typo: str):
    with pytest.raises(Refused, match=f"additional properties '{typo}' not allowed"):
        chart.render(**values)


@pytest.mark.parametrize(("values", "where"), WRONG, ids=[str(values) for values, _ in WRONG])
def test_a_value_that_can_not_be_is_refused_by_place(chart: Chart, values: dict[str, Any], where: str):
    with pytest.raises(Refused, match=where):
        chart.render(**values)


@pytest.mark.parametrize(("values", "words"), CONTRADICTIONS, ids=[words for _, words in CONTRADICTIONS])
def test_values_that_contradict_each_other_are_refused_in_words(
    chart: Chart, values: dict[str, Any], words: str
):
    with pytest.raises(Refused, match=words):
        chart.render(**values)


def test_an_external_store_needs_no_more_than_url_and_keys(chart: Chart):
    assert chart.render(**EXTERNAL_STORE).of("Deployment")


def test_every_object_of_the_schema_refuses_other_names_or_hands_them_through():
    passed_through = {"global", "passthrough"}

    def open_objects(schema: Any, name: str) -> Iterator[str]:
        if isinstance(schema, dict):
            if schema.get("type") == "object" and "additionalProperties" not in schema:
                yield name
            for key, value in schema.items():
                yield from open_objects(value, key)
        elif isinstance(schema, list):
            for value in schema:
                yield from open_objects(value, name)

    assert set(open_objects(SCHEMA, "")) == passed_through


def test_the_schema_knows_every_value_and_no_more():
    """Deeper than the first level Helm itself shows it: the values as they come pass the schema."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(SCHEMA["properties"]) - {"global"} == set(values)
    assert set(SCHEMA["definitions"]["worker"]["properties"]) == set(values["worker"])
    streamer = set(SCHEMA["properties"]["streamer"]["properties"])
    assert streamer == set(values["worker"]) | {"http", "ingress"}
