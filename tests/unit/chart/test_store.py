from __future__ import annotations

import base64
import importlib
from typing import Any

import click

from splatworks_common.store_server import main as store_command
from tests.unit.chart.rendering import EXTERNAL_STORE, WORKERS, Chart, Manifests


def test_the_embedded_store_makes_its_own_keys(defaults: Manifests):
    data = defaults.get("Secret", "splatworks-store-keys")["data"]
    lengths = {name: len(base64.b64decode(data[name])) for name in ("access-key", "secret-key")}
    assert lengths == {"access-key": 20, "secret-key": 40}


def test_the_keys_come_with_the_authority_of_the_stores_certificate(defaults: Manifests):
    keys = defaults.get("Secret", "splatworks-store-keys")["data"]
    assert keys["ca.crt"] == defaults.get("Secret", "splatworks-store-tls")["data"]["ca.crt"]


def test_the_keys_come_alone_where_cert_manager_makes_the_certificate(chart: Chart):
    manifests = chart.render(tls={"mode": "certManager"})
    assert set(manifests.get("Secret", "splatworks-store-keys")["data"]) == {"access-key", "secret-key"}


def test_a_secret_of_ones_own_replaces_the_made_one(chart: Chart):
    manifests = chart.render(store={"existingSecret": "mine"})
    assert "splatworks-store-keys" not in {secret["metadata"]["name"] for secret in manifests.of("Secret")}
    for pod in manifests.pods():
        (keys,) = [volume for volume in pod.spec["volumes"] if volume["name"] == "store-keys"]
        assert keys["secret"]["secretName"] == "mine", pod.name


def test_the_embedded_store_is_found_under_the_name_in_its_certificate(defaults: Manifests):
    service = defaults.get("Service", "splatworks-store")
    (port,) = service["spec"]["ports"]
    for component in (*WORKERS, "operator", "test"):
        environment = defaults.pod(component).environment
        assert environment["SPLATWORKS_STORE_URL"] == f"https://splatworks-store.demo.svc:{port['port']}"
        assert environment["SPLATWORKS_STORE_CA_FILE"] == "/etc/splatworks/tls/ca.crt"


def test_objects_lie_on_a_volume(defaults: Manifests):
    spec = defaults.get("StatefulSet", "splatworks-store")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"


def test_a_trial_needs_no_volume(chart: Chart):
    manifests = chart.render(store={"embedded": {"persistence": {"enabled": False, "size": "5Gi"}}})
    spec = manifests.get("StatefulSet", "splatworks-store")["spec"]
    assert "volumeClaimTemplates" not in spec
    volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    assert volumes["data"]["emptyDir"] == {"sizeLimit": "5Gi"}


def test_an_external_store_replaces_the_embedded_one(chart: Chart):
    manifests = chart.render(**EXTERNAL_STORE)
    assert not manifests.of("StatefulSet")
    assert manifests.pod("sfm").environment["SPLATWORKS_STORE_URL"] == "https://s3.example.com"


def test_region_and_encryption_reach_every_client(chart: Chart):
    store = {
        **EXTERNAL_STORE["store"],
        "external": {"url": "https://s3.example.com", "region": "eu-west-1", "sse": "KMS:alias/splats"},
    }
    for pod in chart.render(store=store).pods():
        assert pod.environment["SPLATWORKS_STORE_REGION"] == "eu-west-1", pod.name
        assert pod.environment["SPLATWORKS_STORE_SSE"] == "KMS:alias/splats", pod.name


def test_a_private_authority_is_mounted_for_every_client(chart: Chart):
    store = {
        **EXTERNAL_STORE["store"],
        "external": {"url": "https://minio.minio.svc:9000", "caSecret": "minio-ca"},
    }
    for pod in chart.render(store=store).pods():
        assert pod.environment["SPLATWORKS_STORE_CA_FILE"] == "/etc/splatworks/store-ca/ca.crt", pod.name
        (volume,) = [volume for volume in pod.spec["volumes"] if volume["name"] == "store-ca"]
        assert volume["secret"]["secretName"] == "minio-ca", pod.name


def test_the_embedded_stores_flags_and_variables_are_those_of_the_real_server(defaults: Manifests):
    container = defaults.pod("store")
    prefix = "SPLATWORKS_STORE_"
    known = {prefix + parameter.name.upper() for parameter in store_command.params if parameter.name}
    given = {name: value for name, value in container.environment.items() if name.startswith(prefix)}
    assert set(given) <= known
    read = parsed(store_command, container.container["args"], {
        name.removeprefix(prefix).lower(): value for name, value in given.items()
    })  # fmt: skip
    assert (read["listen"], read["bucket"]) == ("0.0.0.0:8333", "splatworks")


def test_the_buckets_rules_are_set_by_the_module_that_is_there(chart: Chart):
    external = {"url": "https://s3.example.com", "lifecycle": {"enabled": True, "expireUploadsDays": 7}}
    container = (
        chart.render(store={**EXTERNAL_STORE["store"], "external": external}).pod("lifecycle").container
    )
    python, flag, module = container["command"]
    assert (python, flag) == ("python", "-m")
    read = parsed(importlib.import_module(module).main, container["args"], {})
    assert read == {"abort_uploads_days": 3, "expire_uploads_days": 7}


def test_nothing_sets_the_buckets_rules_unless_asked(chart: Chart):
    assert not chart.render(**EXTERNAL_STORE).of("Job")


def parsed(command: click.Command, args: list[str], defaults: dict[str, str]) -> dict[str, Any]:
    """The parameters that a command reads from arguments, and from what stands in for its environment."""
    return dict(command.make_context("chart", list(args), default_map=defaults).params)
