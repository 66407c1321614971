"""The chart on a real API server: what ``helm template`` can not show.

Each test walks through the life of one release; the fake node's pods turn Ready and run nothing.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from tests.kube.cluster import KubeCluster, running_cluster

CHART = Path(__file__).resolve().parents[3] / "charts" / "splatworks"
SINGLE_NODE = CHART / "examples" / "single-node.yaml"

COMPONENTS = {"operator", "sfm", "trainer", "compressor", "streamer", "store"}
SECONDS = 90

pytestmark = [pytest.mark.kube, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeCluster]:
    """A cluster of this module's own: the chart brings the CustomResourceDefinition and takes it over."""
    with running_cluster(tmp_path_factory.mktemp("chart") / "cluster") as found:
        if not found.has_nodes:
            pytest.skip("needs a Kubernetes with controllers: ../shared/kube")
        yield found


@pytest.fixture
def namespace(cluster: KubeCluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace that admits restricted pods only; the release in it is removed after the test."""
    name = f"test-{request.node.name.replace('_', '-')}"[:50].rstrip("-")
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    for release in json.loads(cluster.helm("list", "--short", "-o=json", namespace=name)):
        cluster.helm("uninstall", release, namespace=name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def install(cluster: KubeCluster, namespace: str, *settings: str, wait: bool = True) -> None:
    """Installs or upgrades; takes over the CustomResourceDefinition that the release of another test left."""
    words = [word for setting in settings for word in ("--set", setting)]
    words += ["--wait", f"--timeout={SECONDS}s"] if wait else []
    cluster.helm(
        "upgrade", "--install", "--take-ownership", "splatworks", CHART, f"--values={SINGLE_NODE}", *words,
        namespace=namespace,
    )  # fmt: skip


def items(cluster: KubeCluster, kind: str, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cluster.kubectl("get", kind, "-o=json", namespace=namespace))[
        "items"
    ]
    return found


def secret(cluster: KubeCluster, namespace: str, name: str) -> dict[str, bytes]:
    data = cluster.get("secret", name, namespace=namespace)["data"]
    return {key: base64.b64decode(value) for key, value in data.items()}


def ready_components(cluster: KubeCluster, namespace: str) -> set[str]:
    return {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for pod in items(cluster, "pods", namespace)
        for condition in pod["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Ready", "True")
    }


def test_an_installed_release_is_ready_and_guarded(cluster: KubeCluster, namespace: str):
    install(cluster, namespace)
    assert ready_components(cluster, namespace) == COMPONENTS
    policies = {policy["metadata"]["name"] for policy in items(cluster, "networkpolicies", namespace)}
    assert policies == {f"splatworks-{name}" for name in (*COMPONENTS, "default-deny")}
    budgets = {budget["metadata"]["name"] for budget in items(cluster, "pdb", namespace)}
    assert budgets == {f"splatworks-{name}" for name in ("sfm", "trainer", "compressor", "streamer")}


def test_the_operators_endpoints_are_the_workers_pods(cluster: KubeCluster, namespace: str):
    install(cluster, namespace)
    slices = {
        found["metadata"]["labels"]["kubernetes.io/service-name"]: found
        for found in items(cluster, "endpointslices", namespace)
    }
    for worker in ("sfm", "trainer", "compressor", "streamer"):
        (endpoint,) = slices[f"splatworks-{worker}"]["endpoints"]
        assert endpoint["conditions"]["ready"] is True
        assert endpoint["targetRef"]["name"].startswith(f"splatworks-{worker}-")


def test_an_upgrade_keeps_the_keys_and_the_ca_and_renews_certificates(cluster: KubeCluster, namespace: str):
    install(cluster, namespace)
    keys = secret(cluster, namespace, "splatworks-store-keys")
    authority = secret(cluster, namespace, "splatworks-ca")
    before = secret(cluster, namespace, "splatworks-sfm-tls")
    install(cluster, namespace, "trainer.replicas=2")
    assert secret(cluster, namespace, "splatworks-store-keys") == keys
    assert secret(cluster, namespace, "splatworks-ca") == authority
    after = secret(cluster, namespace, "splatworks-sfm-tls")
    assert after["tls.crt"] != before["tls.crt"]
    assert after["ca.crt"] == before["ca.crt"]
    assert (
        cluster.get("deployment", "splatworks-trainer", namespace=namespace)["status"]["readyReplicas"] == 2
    )


def test_a_rollback_brings_the_release_before_back(cluster: KubeCluster, namespace: str):
    install(cluster, namespace)
    before = secret(cluster, namespace, "splatworks-sfm-tls")
    install(cluster, namespace, "trainer.replicas=2", "sfm.drainSeconds=77")
    cluster.helm("rollback", "splatworks", "1", "--wait", f"--timeout={SECONDS}s", namespace=namespace)
    assert cluster.get("deployment", "splatworks-trainer", namespace=namespace)["spec"]["replicas"] == 1
    assert secret(cluster, namespace, "splatworks-sfm-tls") == before
    assert ready_components(cluster, namespace) == COMPONENTS


def test_a_new_ca_is_trusted_before_anybody_shows_its_certificate(cluster: KubeCluster, namespace: str):
    """At every step, whoever still has the certificates of the step before is trusted, and trusts."""
    steps = []
    for settings in ([], ["tls.selfSigned.rotateCA=true"], [], []):
        install(cluster, namespace, *settings, wait=False)
        steps.append(secret(cluster, namespace, "splatworks-sfm-tls"))
    for earlier, later in itertools.pairwise(steps):
        assert signed_by_one_of(earlier["tls.crt"], later["ca.crt"])
        assert signed_by_one_of(later["tls.crt"], earlier["ca.crt"])
    assert [len(authorities(step["ca.crt"])) for step in steps] == [1, 2, 2, 1]
    assert not set(authorities(steps[0]["ca.crt"])) & set(authorities(steps[-1]["ca.crt"]))


def test_the_crd_and_its_jobs_survive_an_uninstall(cluster: KubeCluster, namespace: str):
    install(cluster, namespace)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd/splatjobs.splatworks.dev")
    job: dict[str, Any] = {
        "apiVersion": "splatworks.dev/v1alpha1",
        "kind": "SplatJob",
        "metadata": {"name": "kept"},
        "spec": {"source": {"uri": "s3://splatworks/photos/"}},
    }
    cluster.create(job, namespace=namespace)
    cluster.helm("uninstall", "splatworks", "--wait", f"--timeout={SECONDS}s", namespace=namespace)
    assert cluster.get("splatjob", "kept", namespace=namespace)["spec"]["source"] == job["spec"]["source"]
    left = cluster.kubectl("get", "deploy,sts,svc,sa,role,netpol,pdb,secret", "-o=name", namespace=namespace)
    assert not [name for name in left.splitlines() if "splatworks" in name]


def test_the_operators_account_may_do_what_it_needs_and_nothing_more(cluster: KubeCluster, namespace: str):
    install(cluster, namespace, "operator.sourceSecrets={team-keys}", wait=False)
    answers = reviewed(cluster, namespace, f"system:serviceaccount:{namespace}:splatworks-operator")
    assert {question for question, allowed in answers.items() if allowed} == {
        f"{verb} {what}" for what, verbs in NEEDED.items() for verb in verbs.split()
    }


NEEDED = {
    "splatworks.dev/splatjobs": "get list watch patch delete",
    "splatworks.dev/splatjobs/status": "patch",
    "/events": "create",
    "discovery.k8s.io/endpointslices": "list watch",
    "/pods": "get patch",
    "coordination.k8s.io/leases": "create",
    "coordination.k8s.io/leases:splatworks-operator": "get update",
    "/secrets:team-keys": "get",
}
"""What the operator does, as "group/resource[:name]" and verbs."""

NEVER = (
    "/secrets", "/secrets:splatworks-ca", "/configmaps", "/pods/exec", "/pods/log", "/serviceaccounts",
    "/serviceaccounts/token", "apps/deployments", "coordination.k8s.io/leases:other",
    "rbac.authorization.k8s.io/roles", "apiextensions.k8s.io/customresourcedefinitions", "/namespaces",
)  # fmt: skip
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


def reviewed(cluster: KubeCluster, namespace: str, user: str) -> dict[str, bool]:
    """What the API server would let an account do: every verb on everything in NEEDED and NEVER."""
    questions = [
        (verb, what)
        for what in (*NEEDED, *NEVER)
        for verb in VERBS
        if not (verb == "create" and ":" in what)  # a name does not matter to who may create
    ]
    reviews = []
    for verb, what in questions:
        path, _, name = what.partition(":")
        group, resource, *subresource = path.split("/")
        attributes = {
            "namespace": namespace,
            "verb": verb,
            "group": group,
            "resource": resource,
            "name": name,
        }
        attributes["subresource"] = "".join(subresource)
        reviews.append(
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {"user": user, "resourceAttributes": attributes},
            }
        )
    answers = cluster.kubectl(
        "create",
        "-f=-",
        '-o=jsonpath={.status.allowed}{"\\n"}',
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews}),
    ).split()
    return {
        f"{verb} {what}": answer == "true" for (verb, what), answer in zip(questions, answers, strict=True)
    }


def authorities(bundle: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(bundle)


def signed_by_one_of(leaf: bytes, bundle: bytes) -> bool:
    certificate = x509.load_pem_x509_certificate(leaf)
    for authority in authorities(bundle):
        try:
            certificate.verify_directly_issued_by(authority)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False
