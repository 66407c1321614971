"""A real Kubernetes for the tests marked ``kube``: one cluster a run, one namespace a test.

The cluster is that of the kit in ``../shared/kube``: API server, etcd, controllers, scheduler, and one fake
node whose pods turn Ready and run nothing. Where only ``KUBEBUILDER_ASSETS`` is set, it is an API server
alone, and tests that ask for ``kube_nodes`` are skipped; where neither is there, all of them are.

What a test may assume: it is administrator; what it makes in ``kube_namespace`` is nobody else's and is
removed after it. What is not namespaced is shared, so a test neither changes nor removes a resource that it
did not make; one that must (a chart that owns the CustomResourceDefinition, an API server that restarts)
starts a cluster of its own with ``running_cluster``.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
import uuid
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.kube.envtest import control_plane

_REPOSITORY = Path(__file__).resolve().parents[2]
KIT = _REPOSITORY.parent / "shared" / "kube" / "kube.py"

CRD = _REPOSITORY / "charts" / "splatworks" / "files" / "crd" / "splatjobs.yaml"
"""The CustomResourceDefinition of SplatJob."""

_START_SECONDS = 90
_CALL_SECONDS = 60


class KubectlError(AssertionError):
    """A command on the cluster failed; the message is what it said on stderr."""


class ApiError(AssertionError):
    """The API server refused a request; the message is its reason in words.

    Attributes:
        code: The HTTP status.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class KubeCluster:
    """A running cluster, as seen by its administrator.

    Attributes:
        kubeconfig: How to reach it.
        binaries: The folder of kubectl, helm and the servers (``KUBEBUILDER_ASSETS``).
        folder: What the cluster owns on disk, its processes' logs among it.
        has_nodes: True where controllers and a fake node make pods Ready.
    """

    kubeconfig: Path
    binaries: Path
    folder: Path
    has_nodes: bool = True

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to act here as administrator; kubectl and helm are in its PATH."""
        return {
            **os.environ,
            "PATH": f"{self.binaries}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.folder / "cache"),  # else shared with whatever had this port before
        }

    def kubectl(self, *words: object, namespace: str = "", stdin: str = "") -> str:
        """Runs kubectl.

        Returns:
            What it wrote to stdout.

        Raises:
            KubectlError: It failed; ``str`` of the error is what it wrote to stderr.
        """
        return self.run("kubectl", *(("--namespace", namespace) if namespace else ()), *words, stdin=stdin)

    def helm(self, *words: object, namespace: str = "") -> str:
        """Runs helm as ``kubectl`` does kubectl."""
        return self.run("helm", *(("--namespace", namespace) if namespace else ()), *words)

    def run(self, *words: object, stdin: str = "", timeout: float = _CALL_SECONDS) -> str:
        """Runs any command in the cluster's ``environment``, as ``kubectl`` does."""
        done = subprocess.run(
            [str(word) for word in words],
            input=stdin,
            text=True,
            capture_output=True,
            env=self.environment,
            timeout=timeout,
        )
        if done.returncode:
            raise KubectlError(done.stderr.strip() or f"{words[0]} exited with {done.returncode}")
        return done.stdout

    def request(
        self, method: str, path: str, body: object = None, *, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Asks the API server directly: some twenty times as fast as kubectl.

        Args:
            method: "GET", "POST", "PUT", "PATCH" or "DELETE".
            path: Path and query ("/api/v1/namespaces?limit=1").
            body: What is sent, as JSON.
            content_type: What it is; a patch says here of which kind ("application/merge-patch+json").

        Raises:
            ApiError: The API server refused it, and why.
        """
        address, trusted, token = self._access
        connection = HTTPSConnection(address, context=trusted, timeout=_CALL_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            is_status = text.startswith("{")  # where nobody serves the path it is plain text
            raise ApiError(answer.status, json.loads(text)["message"] if is_status else text)
        content: dict[str, Any] = json.loads(text)
        return content

    @cached_property
    def _access(self) -> tuple[str, ssl.SSLContext, str]:
        """Address, trust and token, as the kubeconfig has them."""
        config = json.loads(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = b64decode(cluster["certificate-authority-data"]).decode()
        return urlsplit(cluster["server"]).netloc, ssl.create_default_context(cadata=authority), user["token"]

    def get(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any]:
        """A resource as the API server has it."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o=json", namespace=namespace))
        return found

    def create(self, resource: Mapping[str, Any], *, namespace: str = "") -> dict[str, Any]:
        """Creates a resource.

        Returns:
            It as the API server has it, defaults filled in.

        Raises:
            KubectlError: The API server refused it, and why.
        """
        created: dict[str, Any] = json.loads(
            self.kubectl("create", "-f=-", "-o=json", namespace=namespace, stdin=json.dumps(resource))
        )
        return created

    def apply(self, *manifests: Path, namespace: str = "") -> str:
        """Applies manifest files on the server's side; returns the names of what they hold."""
        files = [f"--filename={path}" for path in manifests]
        return self.kubectl("apply", "--server-side", *files, "-o=name", namespace=namespace)

    def patch(
        self, kind: str, name: str, patch: Mapping[str, Any], *, namespace: str = "", subresource: str = ""
    ) -> dict[str, Any]:
        """Merges ``patch`` into a resource (RFC 7396); returns the resource after it."""
        words = [f"--subresource={subresource}"] if subresource else []
        words += ["--type=merge", f"--patch={json.dumps(patch)}", "-o=json"]
        patched: dict[str, Any] = json.loads(self.kubectl("patch", kind, name, *words, namespace=namespace))
        return patched

    def install_crd(self) -> None:
        """Brings the SplatJob definition of the working tree up and waits until it is served."""
        self.apply(CRD)
        served = "/apis/splatworks.dev/v1alpha1/splatjobs"  # refuses for seconds after it is there
        published = "/openapi/v3/apis/splatworks.dev/v1alpha1"  # which kubectl explain and apply read
        deadline = time.monotonic() + _CALL_SECONDS
        while not (self._answers(served, "items") and self._answers(published, "splatjobs")):
            assert time.monotonic() < deadline, "the API server does not serve SplatJob and its schema"
            time.sleep(0.1)

    def _answers(self, path: str, word: str) -> bool:
        try:
            return word in json.dumps(self.request("GET", path))
        except ApiError:
            return False

    def kubeconfig_of(self, namespace: str, account: str, path: Path) -> Path:
        """Writes a kubeconfig that acts as a ServiceAccount, which must exist; returns ``path``."""
        config = json.loads(self.kubeconfig.read_text())
        token = self.kubectl("create", "token", account, namespace=namespace).strip()
        config["users"][0]["user"] = {"token": token}
        config["contexts"][0]["context"]["namespace"] = namespace
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path


@contextmanager
def running_cluster(folder: Path) -> Iterator[KubeCluster]:
    """A cluster of one's own, on free ports, for as long as the context lasts.

    Args:
        folder: Where it may put what it owns; a folder that does not exist yet.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not KIT.is_file():
        if not assets:
            pytest.skip("needs a Kubernetes: ../shared/kube, or KUBEBUILDER_ASSETS")
        with control_plane(Path(assets), folder) as kubeconfig:
            yield KubeCluster(kubeconfig, binaries=Path(assets), folder=folder, has_nodes=False)
        return
    binaries = Path(kit("assets").strip())
    try:
        kit("up", "--dir", folder, "--kwok")
        yield KubeCluster(kubeconfig=folder / "kubeconfig", binaries=binaries, folder=folder)
    finally:
        kit("down", "--dir", folder)


def kit(*words: object) -> str:
    """Runs a command of the kit; returns what it wrote to stdout."""
    done = subprocess.run(
        [sys.executable, str(KIT), *map(str, words)], text=True, capture_output=True, timeout=_START_SECONDS
    )
    if done.returncode:
        raise RuntimeError(f"kube.py {words[0]} failed:\n{done.stderr}")
    return done.stdout


@pytest.fixture(scope="session")
def kube_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeCluster]:
    """The cluster of this run."""
    with running_cluster(tmp_path_factory.mktemp("kube") / "cluster") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kube_nodes(kube_cluster: KubeCluster) -> KubeCluster:
    """The cluster of this run, where pods turn Ready."""
    if not kube_cluster.has_nodes:
        pytest.skip("needs a Kubernetes with controllers: ../shared/kube")
    return kube_cluster


@pytest.fixture(scope="session")
def splatjob_cluster(kube_cluster: KubeCluster) -> KubeCluster:
    """The cluster of this run, serving SplatJobs."""
    kube_cluster.install_crd()
    return kube_cluster


@contextmanager
def new_namespace(cluster: KubeCluster) -> Iterator[str]:
    """The name of a namespace in which nothing is.

    What is left there goes with it, except that objects with a finalizer keep it Terminating.
    """
    name = f"test-{uuid.uuid4().hex[:12]}"
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    cluster.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def kube_namespace(kube_cluster: KubeCluster) -> Iterator[str]:
    """A namespace of the test's own; see ``new_namespace``."""
    with new_namespace(kube_cluster) as name:
        yield name
