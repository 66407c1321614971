"""What the chart gives the operator: its account, its rights, its configuration, in a namespace of a test."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kube.cluster import KubeCluster

CHART = Path(__file__).resolve().parents[3] / "charts" / "splatworks"
ACCOUNT = "splatworks-operator"
"""The ServiceAccount of the operator in a release named splatworks."""

_RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


@dataclass(frozen=True)
class Release:
    """A release of which only the operator's account exists in the cluster; its processes run here.

    Attributes:
        cluster: Where.
        namespace: The namespace of the release and of its jobs.
        configuration: The operator's configuration as the chart writes it.
    """

    cluster: KubeCluster
    namespace: str
    configuration: Mapping[str, Any]

    def kubeconfig(self, path: Path) -> Path:
        """Writes the operator's own way to the API server; returns ``path``."""
        return self.cluster.kubeconfig_of(self.namespace, ACCOUNT, path)


def installed(
    cluster: KubeCluster, namespace: str, *, source_secrets: Sequence[str] = (), read: Sequence[str] = ()
) -> Release:
    """Renders the chart, and brings up the operator's account with the rights the chart gives it, no others.

    Args:
        cluster: Where.
        namespace: In which namespace.
        source_secrets: The value ``operator.sourceSecrets``.
        read: Further buckets that jobs may read.
    """
    values = {
        "operator": {
            "sourceSecrets": list(source_secrets),
            "buckets": [{"namespaces": ["*"], "source": ["splatworks", *read], "output": ["splatworks"]}],
        },
        "rbac": {"aggregateToDefaultRoles": False},  # these are for people
    }
    documents = [
        document
        for document in _rendered(cluster, namespace, values)
        if document["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "operator"
    ]
    rights = [document for document in documents if document["kind"] in _RIGHTS]
    cluster.kubectl("apply", "--filename=-", namespace=namespace, stdin=yaml.safe_dump_all(rights))
    (config,) = (document for document in documents if document["kind"] == "ConfigMap")
    return Release(cluster, namespace, yaml.safe_load(config["data"]["operator.yaml"]))


def monitoring(cluster: KubeCluster, namespace: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The PodMonitors and the PrometheusRule of a release; the cluster does not have their kinds."""
    values = {
        "operator": {"watchNamespaces": [namespace]},
        "monitoring": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    }
    documents = _rendered(cluster, namespace, values)
    (rule,) = (document for document in documents if document["kind"] == "PrometheusRule")
    return [document for document in documents if document["kind"] == "PodMonitor"], rule


def _rendered(cluster: KubeCluster, namespace: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the chart makes of values."""
    if shutil.which("helm", path=cluster.environment["PATH"]) is None:
        pytest.skip("needs helm, beside kube-apiserver or in PATH")
    rendered = cluster.run(
        *("helm", "template", "splatworks", CHART, "--namespace", namespace, "--values=-"),
        stdin=yaml.safe_dump(dict(values)),
    )
    return [document for document in yaml.safe_load_all(rendered) if document]
