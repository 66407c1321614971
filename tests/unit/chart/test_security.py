from __future__ import annotations

import re

import pytest

from tests.unit.chart.rendering import BUCKETS, NAMESPACE, WORKERS, Chart, Manifests

STORED_SECRETS = re.compile(r"SECRET|TOKEN|PASSWORD|ACCESS_KEY")


def test_pods_are_restricted(rendering: Manifests):
    for pod in rendering.pods():
        context = pod.spec["securityContext"]
        assert context["runAsNonRoot"] is True, pod.name
        assert context["runAsUser"] == 10001, pod.name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec), pod.name


def test_containers_are_restricted(rendering: Manifests):
    for pod in rendering.pods():
        assert not {"initContainers", "ephemeralContainers"} & set(pod.spec), pod.name
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, pod.name


def test_the_status_of_a_container_tells_why_it_failed(rendering: Manifests):
    assert {pod.container["terminationMessagePolicy"] for pod in rendering.pods()} == {
        "FallbackToLogsOnError"
    }


def test_pods_have_only_volumes_that_restricted_allows(rendering: Manifests):
    for pod in rendering.pods():
        for volume in pod.spec["volumes"]:
            assert set(volume) - {"name"} <= {"configMap", "secret", "emptyDir"}, (pod.name, volume["name"])


def test_every_emptydir_has_a_limit(rendering: Manifests):
    for pod in rendering.pods():
        for volume in pod.spec["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"], (pod.name, volume["name"])


def test_every_mount_is_read_only_or_scratch(rendering: Manifests):
    for pod in rendering.pods():
        writable = {
            mount["mountPath"] for mount in pod.container["volumeMounts"] if not mount.get("readOnly", False)
        }
        assert writable <= {"/tmp", "/scratch", "/dev/shm", "/data"}, pod.name


def test_secrets_are_files_that_others_can_not_read(rendering: Manifests):
    for pod in rendering.pods():
        for volume in pod.spec["volumes"]:
            assert "secret" not in volume or volume["secret"]["defaultMode"] == 0o440, pod.name


def test_no_secret_is_an_environment_variable(rendering: Manifests):
    for pod in rendering.pods():
        for name, value in pod.environment.items():
            assert "secretKeyRef" not in value, (pod.name, name)
            assert not STORED_SECRETS.search(name) or name.endswith("_FILE"), (pod.name, name)


def test_only_what_asks_the_api_server_has_a_token(rendering: Manifests):
    with_token = {
        pod.component for pod in rendering.pods() if pod.spec["automountServiceAccountToken"] is not False
    }
    assert with_token == {"operator", "test"}
    assert all(account["automountServiceAccountToken"] is False for account in rendering.of("ServiceAccount"))


def test_every_pod_has_an_account_of_its_own(rendering: Manifests):
    accounts = [pod.spec["serviceAccountName"] for pod in rendering.pods()]
    assert len(set(accounts)) == len(accounts)
    assert set(accounts) <= {account["metadata"]["name"] for account in rendering.of("ServiceAccount")}


def test_workers_are_bound_to_no_role(rendering: Manifests):
    bound = {
        subject["name"]
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for binding in rendering.of(kind)
        for subject in binding["subjects"]
    }
    assert bound == {"splatworks-operator", "splatworks-test"}


def test_no_role_has_a_wildcard(rendering: Manifests):
    for kind in ("Role", "ClusterRole"):
        for role in rendering.of(kind):
            for rule in role["rules"]:
                words = [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
                assert "*" not in words, role["metadata"]["name"]


def test_secrets_are_readable_by_name_only(rendering: Manifests):
    for kind in ("Role", "ClusterRole"):
        for role in rendering.of(kind):
            for rule in role["rules"]:
                if "secrets" in rule["resources"]:
                    assert rule["verbs"] == ["get"], role["metadata"]["name"]
                    assert rule["resourceNames"], role["metadata"]["name"]


def test_the_operator_may_do_this_and_nothing_more(defaults: Manifests):
    assert _rights(defaults, "Role", "splatworks-operator-jobs") == {
        ("splatjobs", "get list watch patch delete", ""),
        ("splatjobs/status", "patch", ""),
        ("events", "create", ""),
    }
    assert _rights(defaults, "Role", "splatworks-operator") == {
        ("endpointslices", "list watch", ""),
        ("pods", "get patch", ""),
        ("leases", "create", ""),
        ("leases", "get update", "splatworks-operator"),
    }
    assert not defaults.of("ClusterRoleBinding")


def test_secrets_of_sources_are_added_by_name(chart: Chart):
    manifests = chart.render(operator={"sourceSecrets": ["team-a", "team-b"]})
    assert ("secrets", "get", "team-a team-b") in _rights(manifests, "Role", "splatworks-operator-jobs")


def test_each_watched_namespace_gets_a_role(chart: Chart):
    manifests = chart.render(operator={"watchNamespaces": ["team-a", "{{ .Release.Namespace }}"]})
    for kind in ("Role", "RoleBinding"):
        found = {
            document["metadata"]["namespace"]
            for document in manifests.of(kind)
            if document["metadata"]["name"] == "splatworks-operator-jobs"
        }
        assert found == {"team-a", NAMESPACE}


def test_only_watching_all_namespaces_takes_a_cluster_role(chart: Chart):
    manifests = chart.render(operator={"watchNamespaces": [], "buckets": [BUCKETS]})
    (binding,) = manifests.of("ClusterRoleBinding")
    assert binding["roleRef"]["name"] == "splatworks-demo-operator-jobs"
    assert not [
        role for role in manifests.of("Role") if role["metadata"]["name"] == "splatworks-operator-jobs"
    ]


@pytest.mark.parametrize("role", ["splatworks-demo-view", "splatworks-demo-edit"])
def test_people_get_no_more_than_splatjobs(defaults: Manifests, role: str):
    assert {resource for resource, _, _ in _rights(defaults, "ClusterRole", role)} == {"splatjobs"}


def test_workers_admit_the_operator_only(defaults: Manifests):
    for worker in WORKERS:
        assert defaults.pod(worker).flags("allowed-san") == ["splatworks-operator.demo.svc"]


def _rights(manifests: Manifests, kind: str, name: str) -> set[tuple[str, str, str]]:
    return {
        (resource, " ".join(rule["verbs"]), " ".join(rule.get("resourceNames", [])))
        for rule in manifests.get(kind, name)["rules"]
        for resource in rule["resources"]
    }
