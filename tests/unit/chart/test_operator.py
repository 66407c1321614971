from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from splatworks_operator.cli.app import app
from splatworks_operator.kube.config import OperatorConfig, load
from splatworks_operator.kube.main import main as operator_command
from tests.unit.chart.rendering import BUCKETS, WORKERS, Chart, Manifests


@pytest.fixture
def configuration(tmp_path: Path):
    """Reads the operator's configuration out of a rendering, as the operator does."""

    def read(manifests: Manifests) -> OperatorConfig:
        file = tmp_path / "operator.yaml"
        file.write_text(manifests.get("ConfigMap", "splatworks-operator")["data"]["operator.yaml"])
        return load(file)

    return read


def test_the_operator_understands_its_configuration(rendering: Manifests, configuration):
    assert configuration(rendering).workers.namespace == "demo"


def test_the_configuration_names_the_services_that_exist(rendering: Manifests, configuration):
    services = {service["metadata"]["name"] for service in rendering.of("Service")}
    found = configuration(rendering).workers.services
    assert set(found) == set(WORKERS)
    assert set(found.values()) <= services


def test_the_configuration_names_files_that_are_mounted(defaults: Manifests, configuration):
    tls = configuration(defaults).workers.tls
    mounts = {mount["mountPath"] for mount in defaults.pod("operator").container["volumeMounts"]}
    assert {str(path.parent) for path in (tls.ca, tls.cert, tls.key)} <= mounts
    assert {path.name for path in (tls.ca, tls.cert, tls.key)} == {"ca.crt", "tls.crt", "tls.key"}


def test_the_configuration_file_is_where_the_operator_looks(defaults: Manifests):
    (file,) = defaults.pod("operator").flags("config")
    mounts = {mount["mountPath"] for mount in defaults.pod("operator").container["volumeMounts"]}
    assert Path(file).name == "operator.yaml"
    assert str(Path(file).parent) in mounts


def test_jobs_of_watched_namespaces_may_use_the_stores_bucket(chart: Chart, configuration):
    config = configuration(chart.render(store={"bucket": "my-splats"}))
    assert [(rule.namespaces, rule.source, rule.output) for rule in config.buckets] == [
        (("*",), ("my-splats",), ("my-splats",))
    ]


def test_buckets_of_the_values_replace_that_rule(chart: Chart, configuration):
    rule = {"namespaces": ["team-*"], "source": ["photos", "uploads/team"], "output": ["splats"]}
    (found,) = configuration(chart.render(operator={"buckets": [rule]})).buckets
    assert found.source == ("photos", "uploads/team")


@pytest.mark.parametrize(
    ("given", "watched"),
    [([], ()), (["{{ .Release.Namespace }}"], ("demo",)), (["team-a", "team-b"], ("team-a", "team-b"))],
)
def test_the_operator_watches_what_the_values_say(chart: Chart, configuration, given, watched):
    manifests = chart.render(operator={"watchNamespaces": given, "buckets": [BUCKETS]})
    assert configuration(manifests).namespaces == watched


def test_viewer_urls_begin_with_the_ingress(chart: Chart, configuration):
    ingress = {"enabled": True, "hosts": ["splats.example.com"]}
    plain = chart.render(streamer={"ingress": ingress})
    assert configuration(plain).viewer_base_url == "http://splats.example.com"
    encrypted = chart.render(streamer={"ingress": {**ingress, "tlsSecret": "web"}})
    assert configuration(encrypted).viewer_base_url == "https://splats.example.com"


def test_without_an_ingress_viewer_urls_are_paths(defaults: Manifests, configuration):
    assert configuration(defaults).viewer_base_url == ""


def test_the_lease_is_the_one_that_the_role_allows(defaults: Manifests, configuration):
    lease = configuration(defaults).lease
    role = defaults.get("Role", "splatworks-operator")
    names = [rule["resourceNames"] for rule in role["rules"] if "resourceNames" in rule]
    assert (lease.namespace, names) == ("demo", [[lease.name]])


def test_the_operator_restarts_when_its_configuration_changes(chart: Chart, defaults: Manifests):
    def checksum(manifests: Manifests) -> str:
        return str(manifests.pod("operator").metadata["annotations"]["checksum/config"])

    assert checksum(chart.render(operator={"pollSeconds": 5})) != checksum(defaults)
    assert checksum(chart.render(sfm={"replicas": 2})) == checksum(defaults)


def test_two_operators_never_run_side_by_side(defaults: Manifests):
    spec = defaults.get("Deployment", "splatworks-operator")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_probes_ask_for_the_truth_on_the_health_port(defaults: Manifests, configuration):
    container = defaults.pod("operator").container
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    config = configuration(defaults)
    assert config.health.listen.endswith(f":{ports['http']}")
    assert config.metrics.listen.endswith(f":{ports['metrics']}")


def test_the_flags_are_those_of_the_real_operator(rendering: Manifests):
    read = operator_command.make_context("operator", list(rendering.pod("operator").container["args"])).params
    assert read == {"config": Path("/etc/splatworks/operator/operator.yaml"), "log_level": "info"}


def test_the_test_of_the_release_gives_flags_of_the_real_command(defaults: Manifests):
    container = defaults.pod("test").container
    script = container["command"][2]
    read = parsed("submit", container["args"])
    assert (read["wait"], read["timeout"], read["namespace"]) == (True, 1200.0, "demo")
    cancelled = parsed("cancel", re.search("splatworks cancel ([^;]+);", script)[1].split())  # type: ignore[index]
    assert (cancelled["names"], cancelled["delete"]) == ([read["name"]], True)
    assert cancelled["namespace"] == read["namespace"]


@pytest.mark.parametrize("code", [0, 1])
def test_the_test_of_the_release_removes_its_job_and_ends_as_the_job_did(
    defaults: Manifests, tmp_path: Path, code: int
):
    fake = tmp_path / "splatworks"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n[ "$1" = cancel ] || exit {code}\n')
    fake.chmod(0o755)
    container = defaults.pod("test").container
    done = subprocess.run(
        [*container["command"], *container["args"]], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    )
    assert done.returncode == code
    submitted, cancelled = (tmp_path / "called").read_text().splitlines()
    assert submitted.split() == ["submit", *container["args"]]
    assert cancelled == "cancel splatworks-test --namespace=demo --delete"


def parsed(name: str, args: list[str]) -> dict[str, Any]:
    """The parameters that a command of ``splatworks`` reads."""
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    return dict(command.make_context(name, list(args)).params)
