"""The chart as Helm renders it: documents by kind and name, and the pods in them."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
CHART = REPOSITORY / "charts" / "splatworks"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))

RELEASE = "splatworks"
NAMESPACE = "demo"

WORKERS = ("sfm", "trainer", "compressor", "streamer")

EXTERNAL_STORE: dict[str, Any] = {
    "store": {"mode": "external", "existingSecret": "keys", "external": {"url": "https://s3.example.com"}}
}
"""The fewest values that an external store needs."""

BUCKETS: dict[str, Any] = {"namespaces": ["team-*"], "source": ["photos"], "output": ["splats"]}
"""A rule for ``operator.buckets``."""

_KIT = REPOSITORY.parent / "shared" / "kube" / "kube.py"
_SECONDS = 60


class Refused(Exception):
    """Helm does not render these values; the message is what it said."""


@dataclass(frozen=True)
class Pod:
    """A pod that a document would make.

    Attributes:
        name: "Kind/name" of the document.
        metadata: The pod's own metadata.
        spec: The pod's spec.
    """

    name: str
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]

    @property
    def component(self) -> str:
        """The part of Splatworks that runs in it."""
        return str(self.metadata["labels"]["app.kubernetes.io/component"])

    @property
    def container(self) -> Mapping[str, Any]:
        """Its only container."""
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def environment(self) -> dict[str, Any]:
        """The container's variables: their texts, or where their values come from."""
        return {
            variable["name"]: variable.get("value", variable.get("valueFrom"))
            for variable in self.container["env"]
        }

    def flags(self, name: str) -> list[str]:
        """The values of a flag of the container, one for each time it is given."""
        words = [str(word).partition("=") for word in self.container.get("args", [])]
        return [value for flag, _, value in words if flag == f"--{name}"]


@dataclass(frozen=True)
class Manifests:
    """What one rendering holds."""

    documents: tuple[Mapping[str, Any], ...]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """The documents of a kind."""
        return [document for document in self.documents if document["kind"] == kind]

    def get(self, kind: str, name: str) -> Mapping[str, Any]:
        """The only document of that kind and name."""
        (found,) = [document for document in self.of(kind) if document["metadata"]["name"] == name]
        return found

    def pods(self) -> Iterator[Pod]:
        """Every pod that the documents would make, that of the release's test included."""
        for document in self.documents:
            name = f"{document['kind']}/{document['metadata']['name']}"
            if document["kind"] == "Pod":
                yield Pod(name, document["metadata"], document["spec"])
            elif document["kind"] in ("Deployment", "StatefulSet", "Job"):
                template = document["spec"]["template"]
                yield Pod(name, template["metadata"], template["spec"])

    def pod(self, component: str) -> Pod:
        """The pod of a component."""
        (found,) = [pod for pod in self.pods() if pod.component == component]
        return found


@dataclass(frozen=True)
class Chart:
    """The chart of the working tree and the Helm that renders it."""

    helm: Path

    def render(self, *files: Path, release: str = RELEASE, **values: Any) -> Manifests:
        """What ``helm template`` makes of values files and values that win over them.

        Raises:
            Refused: The schema or the chart does not take them.
        """
        words = [word for file in files for word in ("--values", str(file))]
        return self._rendered(release, tuple(words), json.dumps(values, sort_keys=True))

    def notes(self, *files: Path, **values: Any) -> str:
        """What ``helm install`` tells in the end."""
        words = [word for file in files for word in ("--values", str(file))]
        words += ["--namespace", NAMESPACE, "--dry-run=client", "--values", "-"]
        text = self._run("install", RELEASE, CHART, *words, stdin=json.dumps(values))
        return text.partition("\nNOTES:\n")[2]

    def lint(self, *files: Path) -> str:
        """What ``helm lint --strict`` says.

        Raises:
            Refused: It finds fault.
        """
        words = [word for file in files for word in ("--values", str(file))]
        return self._run("lint", "--strict", CHART, *words)

    @functools.cache  # noqa: B019  # lives as long as the session anyway
    def _rendered(self, release: str, words: tuple[str, ...], values: str) -> Manifests:
        text = self._run(
            "template", release, CHART, "--namespace", NAMESPACE, *words, "--values", "-", stdin=values
        )
        return Manifests(tuple(document for document in yaml.safe_load_all(text) if document))

    def _run(self, *words: object, stdin: str = "") -> str:
        done = subprocess.run(
            [str(self.helm), *map(str, words)],
            input=stdin,
            text=True,
            capture_output=True,
            timeout=_SECONDS,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        )
        if done.returncode:
            raise Refused(f"{done.stdout}{done.stderr}".strip())
        return done.stdout


def find_helm() -> Path:
    """Helm from PATH, from ``KUBEBUILDER_ASSETS``, or from the Kubernetes kit; skips where there is none."""
    if found := shutil.which("helm", path=os.pathsep.join([os.environ["PATH"], *_assets()])):
        return Path(found)
    if not _KIT.is_file():
        pytest.skip("needs helm in PATH, or the Kubernetes of ../shared/kube")
    assets = subprocess.run(
        [sys.executable, str(_KIT), "assets"], text=True, capture_output=True, check=True, timeout=_SECONDS
    )
    return Path(assets.stdout.strip()) / "helm"


def _assets() -> list[str]:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    return [folder] if folder else []
