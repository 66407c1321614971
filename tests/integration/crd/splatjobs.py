"""SplatJobs on a real API server, as the tests of this folder make and change them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.kube.cluster import KubeCluster

SOURCE = {"uri": "s3://splatworks/photos/fox/"}


@dataclass(frozen=True)
class SplatJobs:
    """The SplatJobs of one namespace."""

    cluster: KubeCluster
    namespace: str

    @property
    def path(self) -> str:
        """Where the API serves them."""
        return f"/apis/splatworks.dev/v1alpha1/namespaces/{self.namespace}/splatjobs"

    def create(
        self, spec: Mapping[str, Any] | None = None, *, name: str | None = None, dry_run: bool = False
    ) -> dict[str, Any]:
        """Creates a job, or with ``dry_run`` only asks whether it would be; ``spec`` needs no source."""
        body = {
            "apiVersion": "splatworks.dev/v1alpha1",
            "kind": "SplatJob",
            "metadata": {"name": f"job-{uuid.uuid4().hex[:8]}" if name is None else name},
            "spec": {"source": SOURCE, **(spec or {})},
        }
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        return self.cluster.request("POST", self.path + query, body)

    def change(self, name: str, spec: Mapping[str, Any], **beside: object) -> dict[str, Any]:
        """Merges ``spec`` into the job's, and what stands ``beside`` it; None removes a field."""
        patch = {"spec": spec, **beside}
        return self.cluster.request(
            "PATCH", f"{self.path}/{name}", patch, content_type="application/merge-patch+json"
        )

    def write_status(self, name: str, status: Mapping[str, Any]) -> dict[str, Any]:
        """Puts ``status`` in the place of the job's; returns what the API server made of it."""
        job = self.cluster.request("GET", f"{self.path}/{name}")
        written = self.cluster.request("PUT", f"{self.path}/{name}/status", {**job, "status": status})
        stored: dict[str, Any] = written["status"]
        return stored

    def apply_status(self, name: str, writer: str, **fields: object) -> dict[str, Any]:
        """Applies a part of the job's status on the server's side; returns the whole status after it."""
        body = {
            "apiVersion": "splatworks.dev/v1alpha1",
            "kind": "SplatJob",
            "metadata": {"name": name},
            "status": fields,
        }
        path = f"{self.path}/{name}/status?fieldManager={writer}"
        applied = self.cluster.request("PATCH", path, body, content_type="application/apply-patch+yaml")
        stored: dict[str, Any] = applied["status"]
        return stored


def nested(path: str, value: object) -> dict[str, Any]:
    """A spec in which only the field at ``path`` is set.

    Example:
        >>> nested("train.seed", 1)
        {'train': {'seed': 1}}
    """
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value
