"""What the operator may do with the rights that the chart gives it: what it does, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.e2e.kube.release import ACCOUNT, installed
from tests.kube.cluster import ApiError, KubeCluster, new_namespace

pytestmark = pytest.mark.kube

ALLOWED_SECRET = "studio-photos"

CORE = "/api/v1/namespaces/{own}"
APPS = "/apis/apps/v1/namespaces/{own}"
JOBS = "/apis/splatworks.dev/v1alpha1/namespaces/{own}/splatjobs"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{own}/leases"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{own}/endpointslices"

USED = [
    ("GET", JOBS),
    ("GET", f"{JOBS}/any"),
    ("PATCH", f"{JOBS}/any"),
    ("PATCH", f"{JOBS}/any/status"),
    ("DELETE", f"{JOBS}/any"),
    ("POST", f"{CORE}/events"),
    ("GET", SLICES),
    ("GET", f"{CORE}/pods/any"),
    ("PATCH", f"{CORE}/pods/any"),
    ("POST", LEASES),
    ("GET", f"{LEASES}/{ACCOUNT}"),
    ("PUT", f"{LEASES}/{ACCOUNT}"),
    ("GET", f"{CORE}/secrets/{ALLOWED_SECRET}"),
]
"""Every kind of request that the operator makes."""

LACKED = [
    # jobs: people make and change them, and only one at a time goes
    ("POST", JOBS),
    ("PUT", f"{JOBS}/any"),
    ("PUT", f"{JOBS}/any/status"),
    ("DELETE", JOBS),
    ("GET", f"{JOBS}/any/status"),
    # other namespaces, and all of them at once
    ("GET", JOBS.replace("{own}", "default")),
    ("GET", "/apis/splatworks.dev/v1alpha1/splatjobs"),
    ("GET", CORE.replace("{own}", "default") + "/pods"),
    ("POST", LEASES.replace("{own}", "default")),
    ("GET", CORE.replace("{own}", "default") + f"/secrets/{ALLOWED_SECRET}"),
    ("POST", CORE.replace("{own}", "default") + "/events"),
    # Secrets: none but the one of that name, and no list
    ("GET", f"{CORE}/secrets"),
    ("GET", f"{CORE}/secrets/another"),
    ("POST", f"{CORE}/secrets"),
    ("PATCH", f"{CORE}/secrets/{ALLOWED_SECRET}"),
    ("DELETE", f"{CORE}/secrets/{ALLOWED_SECRET}"),
    # pods: it knows their names, and their deletion cost is all that it changes
    ("GET", f"{CORE}/pods"),
    ("POST", f"{CORE}/pods"),
    ("PUT", f"{CORE}/pods/any"),
    ("DELETE", f"{CORE}/pods/any"),
    ("PATCH", f"{CORE}/pods/any/status"),
    ("GET", f"{CORE}/pods/any/log"),
    ("POST", f"{CORE}/pods/any/exec"),
    ("POST", f"{CORE}/pods/any/eviction"),
    # leases: its own, and that for good
    ("GET", LEASES),
    ("GET", f"{LEASES}/another"),
    ("PUT", f"{LEASES}/another"),
    ("PATCH", f"{LEASES}/{ACCOUNT}"),
    ("DELETE", f"{LEASES}/{ACCOUNT}"),
    # events are told, not read
    ("GET", f"{CORE}/events"),
    ("PATCH", f"{CORE}/events/any"),
    ("DELETE", f"{CORE}/events/any"),
    # what runs the platform
    ("GET", f"{SLICES}/any"),
    ("POST", SLICES),
    ("PATCH", f"{SLICES}/any"),
    ("GET", f"{CORE}/services"),
    ("GET", f"{CORE}/endpoints"),
    ("GET", f"{CORE}/configmaps"),
    ("GET", f"{CORE}/configmaps/{ACCOUNT}"),
    ("GET", f"{APPS}/deployments"),
    ("PATCH", f"{APPS}/deployments/splatworks-trainer/scale"),
    ("GET", f"{APPS}/statefulsets"),
    ("POST", "/apis/batch/v1/namespaces/{own}/jobs"),
    # the cluster, and its own rights
    ("GET", "/api/v1/namespaces"),
    ("GET", "/api/v1/namespaces/{own}"),
    ("GET", "/api/v1/nodes"),
    ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/splatjobs.splatworks.dev"),
    ("POST", f"{CORE}/serviceaccounts/{ACCOUNT}/token"),
    ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/{own}/rolebindings"),
    ("PATCH", "/apis/rbac.authorization.k8s.io/v1/namespaces/{own}/roles/splatworks-operator"),
    ("GET", "/metrics"),
]
"""What somebody who has stolen its token would like to do."""


RIGHTS = {
    "splatworks.dev/splatjobs": {"get", "list", "watch", "patch", "delete"},
    "splatworks.dev/splatjobs/status": {"patch"},
    "/events": {"create"},
    f"/secrets:{ALLOWED_SECRET}": {"get"},
    "discovery.k8s.io/endpointslices": {"list", "watch"},
    "/pods": {"get", "patch"},
    "coordination.k8s.io/leases": {"create"},
    f"coordination.k8s.io/leases:{ACCOUNT}": {"get", "update"},
}
"""All rights in the release's namespace, by group, resource and name."""

EVERYBODY_S = {
    "authorization.k8s.io/selfsubjectaccessreviews": {"create"},
    "authorization.k8s.io/selfsubjectrulesreviews": {"create"},
    "authentication.k8s.io/selfsubjectreviews": {"create"},
}
"""What Kubernetes lets any account do: ask what it may do."""


class Account:
    """The operator's account, asking as itself."""

    def __init__(self, cluster: KubeCluster, namespace: str) -> None:
        self._cluster = cluster
        self.namespace = namespace

    def answer(self, method: str, path: str) -> int:
        """The HTTP status of the API server's answer."""
        body = None if method in ("GET", "DELETE") else {"metadata": {"name": "any"}}
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            self._cluster.request(method, path.format(own=self.namespace), body, content_type=kind)
        except ApiError as error:
            return error.code
        return 200

    def rights(self, namespace: str) -> dict[str, set[str]]:
        """What it may do in a namespace, as the API server sees it."""
        review = {"spec": {"namespace": namespace}}
        found = self._cluster.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
        rights: dict[str, set[str]] = {}
        for rule in found["status"]["resourceRules"]:
            for group, resource in itertools.product(rule["apiGroups"], rule["resources"]):
                for name in rule.get("resourceNames") or [""]:
                    what = f"{group}/{resource}" + (f":{name}" if name else "")
                    rights.setdefault(what, set()).update(rule["verbs"])
        return rights


@pytest.fixture(scope="module")
def account(splatjob_cluster: KubeCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """In a release that lets jobs name one Secret."""
    with new_namespace(splatjob_cluster) as namespace:
        release = installed(splatjob_cluster, namespace, source_secrets=[ALLOWED_SECRET])
        kubeconfig = release.kubeconfig(tmp_path_factory.mktemp("account") / "kubeconfig")
        yield Account(KubeCluster(kubeconfig, splatjob_cluster.binaries, kubeconfig.parent), namespace)


@pytest.mark.parametrize(("method", "path"), USED, ids=map(" ".join, USED))
def test_what_the_operator_asks_for_it_may(account: Account, method: str, path: str):
    assert account.answer(method, path) != 403


@pytest.mark.parametrize(("method", "path"), LACKED, ids=map(" ".join, LACKED))
def test_what_the_operator_does_not_need_is_forbidden(account: Account, method: str, path: str):
    assert account.answer(method, path) == 403


def test_the_operator_s_rights_are_these_and_no_others(account: Account):
    assert account.rights(account.namespace) == RIGHTS | EVERYBODY_S


def test_the_operator_has_no_rights_in_another_namespace(account: Account):
    assert account.rights("default") == EVERYBODY_S
