from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from splatworks_operator.kube.config import SERVICES, ConfigError, load, parse

_FULL = """
namespaces: [team-a]
workers:
  namespace: splatworks
  port: 50051
  services: {sfm: splatworks-sfm, trainer: splatworks-trainer, compressor: splatworks-compressor,
             streamer: splatworks-streamer}
  tls: {ca: /tls/ca.crt, cert: /tls/tls.crt, key: /tls/tls.key}
  tokenFile: /token
  addresses: {}
buckets:
  - {namespaces: ["*"], source: ["splatworks"], output: ["splatworks"]}
sourceSecrets: [mine]
viewerBaseURL: https://splats.example.com
health: {listen: 0.0.0.0:8080}
metrics: {listen: 0.0.0.0:9090}
lease: {namespace: splatworks, name: splatworks-operator}
pollSeconds: 2
"""


def test_every_key_of_a_full_file_is_understood(tmp_path: Path):
    file = tmp_path / "operator.yaml"
    file.write_text(_FULL)
    config = load(file)
    assert config.workers.tls is not None
    assert config.workers.tls.ca == Path("/tls/ca.crt")
    assert config.buckets[0].source == ("splatworks",)
    assert (config.viewer_base_url, config.poll_seconds) == ("https://splats.example.com", 2.0)


def test_an_empty_file_is_all_defaults(tmp_path: Path):
    file = tmp_path / "operator.yaml"
    file.write_text("")
    assert load(file).workers.services["trainer"] == "splatworks-trainer"


ADDRESSES = {service: ["127.0.0.1:50051"] for service in SERVICES}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"pollSecond": 2}, "pollSecond: Extra inputs are not permitted"),
        ({"pollSeconds": "two"}, "pollSeconds: Input should be a valid number"),
        ({"workers": {"port": 0}}, "workers.port: Input should be greater than or equal to 1"),
        ({"workers": {"services": {"trainer": "t"}}}, "workers: 'compressor' is missing"),
        ({"workers": {"addresses": {"painter": []}}}, "workers.addresses: 'painter' is no service"),
        ({"workers": {"services": {}, "addresses": ADDRESSES}}, "workers: 'compressor' is missing"),
        ({"workers": {"tokenFile": "/token"}}, "workers: tokenFile needs tls"),
        ({"buckets": [{"namespaces": []}]}, "buckets.0.namespaces: "),
        ({"viewerBaseURL": "ftp://x"}, "viewerBaseURL: "),
        ({"health": {"listen": "8080"}}, "health.listen: '8080' is not an address"),
        (["a list"], "the file: "),
    ],
)
def test_a_mistake_is_named_by_its_key(document: Any, complaint: str):
    with pytest.raises(ConfigError, match=r"operator\.yaml can not be used") as caught:
        parse(document, "operator.yaml")
    assert complaint in str(caught.value)


def test_a_file_that_is_not_there_or_not_yaml_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="can not be read"):
        load(tmp_path / "missing.yaml")
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match=r"broken\.yaml is not YAML"):
        load(tmp_path / "broken.yaml")
