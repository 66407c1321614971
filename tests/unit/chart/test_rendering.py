from __future__ import annotations

import functools
import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from scripts.generate_chart_readme import documented, with_table
from tests.unit.chart.rendering import BUCKETS, CHART, EXAMPLES, NAMESPACE, Chart, Manifests

FOREIGN_KINDS = {
    "cert-manager.io": {"Issuer", "Certificate"},
    "keda.sh": {"ScaledObject"},
    "monitoring.coreos.com": {"PodMonitor", "PrometheusRule"},
}
"""Kinds of others' CustomResourceDefinitions, of which kubernetes-validate has no schema."""


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_values_file_passes_strict_lint(chart: Chart, file: Path):
    assert "0 chart(s) failed" in chart.lint(file)


def test_the_values_as_they_come_pass_strict_lint(chart: Chart):
    assert "0 chart(s) failed" in chart.lint()


@functools.cache
def validate(document: str, version: str) -> None:
    """Checks a document as JSON; renderings share most of theirs, and one takes a while."""
    kubernetes_validate.validate(json.loads(document), version, strict=True)


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_every_document_is_valid_for_the_oldest_and_the_newest_kubernetes(rendering: Manifests, version: str):
    for document in rendering.documents:
        group = document["apiVersion"].partition("/")[0]
        if document["kind"] not in FOREIGN_KINDS.get(group, set()):
            validate(json.dumps(document, sort_keys=True), version)


def test_the_chart_says_the_oldest_kubernetes_that_is_checked():
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == ">=1.31.0-0"


def test_no_two_documents_are_the_same_object(rendering: Manifests):
    names = [
        (document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"])
        for document in rendering.documents
    ]
    assert len(set(names)) == len(names)


def test_every_namespaced_object_says_its_namespace(rendering: Manifests):
    cluster_wide = {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "PriorityClass"}
    for document in rendering.documents:
        assert ("namespace" in document["metadata"]) != (document["kind"] in cluster_wide), document[
            "metadata"
        ]


def test_every_object_has_the_recommended_labels(rendering: Manifests):
    for document in rendering.documents:
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "splatworks", document["metadata"]["name"]
        assert labels["app.kubernetes.io/part-of"] == "splatworks", document["metadata"]["name"]


def test_every_selector_finds_the_pods_it_is_for(rendering: Manifests):
    pods = {pod.component: pod.metadata["labels"] for pod in rendering.pods()}
    for document in [*rendering.of("Service"), *rendering.of("Deployment"), *rendering.of("StatefulSet")]:
        selector = document["spec"]["selector"]
        selector = selector.get("matchLabels", selector)
        component = document["metadata"]["labels"]["app.kubernetes.io/component"]
        found = [name for name, labels in pods.items() if selector.items() <= labels.items()]
        assert found == [component], document["metadata"]["name"]


def test_selectors_do_not_hold_what_an_upgrade_changes(rendering: Manifests):
    for document in [*rendering.of("Deployment"), *rendering.of("StatefulSet")]:
        assert set(document["spec"]["selector"]["matchLabels"]) == {
            "app.kubernetes.io/name",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/component",
        }


def test_the_longest_release_name_still_makes_valid_names(chart: Chart):
    manifests = chart.render(release="a-release-name-of-exactly-fifty-three-characters-long")
    for document in manifests.of("Service"):
        assert len(document["metadata"]["name"]) <= 63


def test_a_release_of_another_name_gets_that_name_in_front(chart: Chart):
    assert chart.render(release="team").get("Deployment", "team-splatworks-sfm")


def test_labels_for_all_objects_reach_pods_too(chart: Chart):
    manifests = chart.render(commonLabels={"cost-centre": "42"})
    assert all(pod.metadata["labels"]["cost-centre"] == "42" for pod in manifests.pods())


def test_the_crd_survives_an_uninstall(defaults: Manifests):
    (definition,) = defaults.of("CustomResourceDefinition")
    assert definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_crd_in_the_release_is_the_generated_one(defaults: Manifests):
    generated = yaml.safe_load((CHART / "files" / "crd" / "splatjobs.yaml").read_text())
    (rendered,) = defaults.of("CustomResourceDefinition")
    assert rendered["spec"] == generated["spec"]


def test_a_second_release_leaves_the_crd_to_the_first(chart: Chart):
    assert not chart.render(crds={"enabled": False}).of("CustomResourceDefinition")


def test_a_digest_wins_over_a_tag(chart: Chart):
    digest = f"sha256:{'0' * 64}"
    manifests = chart.render(
        image={"registry": "registry.example.com/team/", "tag": "1"}, sfm={"image": {"digest": digest}}
    )
    assert manifests.pod("sfm").container["image"] == f"registry.example.com/team/splatworks-sfm@{digest}"
    assert manifests.pod("trainer").container["image"] == "registry.example.com/team/splatworks-trainer:1"


def test_images_are_those_of_the_charts_version(defaults: Manifests):
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert {pod.container["image"].rpartition(":")[2] for pod in defaults.pods()} == {version}


def test_the_test_of_the_release_runs_only_when_asked(defaults: Manifests):
    hooked = [
        document
        for document in defaults.documents
        if document["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"
    ]
    assert {document["kind"] for document in hooked} >= {"Pod", "ServiceAccount", "Role", "RoleBinding"}


def test_the_test_of_the_release_submits_where_jobs_are_watched(chart: Chart):
    pod = chart.render(operator={"watchNamespaces": ["team-a", "team-b"]}).pod("test")
    assert pod.flags("namespace") == ["team-a"]
    everywhere = chart.render(operator={"watchNamespaces": [], "buckets": [BUCKETS]})
    assert everywhere.pod("test").flags("namespace") == [NAMESPACE]


def test_every_value_is_documented():
    """A value is documented by its own comment, or by that of a map it is in."""
    source = (CHART / "values.yaml").read_text()
    known = {value.path for value in documented(source)}

    def undocumented(values: object, path: tuple[str, ...]) -> list[str]:
        if path in known:
            return []
        if isinstance(values, dict) and values:
            return [name for key, value in values.items() for name in undocumented(value, (*path, key))]
        return [".".join(path)]

    assert undocumented(yaml.safe_load(source), ()) == []


def test_the_readme_has_the_values_of_today():
    readme = (CHART / "README.md").read_text()
    assert with_table(readme, (CHART / "values.yaml").read_text()) == readme, (
        "run scripts/generate_chart_readme.py"
    )


def test_the_readme_names_every_values_file():
    readme = (CHART / "README.md").read_text()
    assert all(f"examples/{file.name}" in readme for file in EXAMPLES)
