"""SplatJobs as people see them: made, watched, changed and deleted by an administrator of the namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from tests.e2e.kube.platform import CHECKPOINT_SECONDS
from tests.e2e.kube.waiting import SECONDS, until
from tests.kube.cluster import ApiError, KubeCluster

Resource = dict[str, Any]

PHOTOS = "s3://splatworks/photos/sample/"
"""Where the photos of every job are: where examples/splatjob.yaml says."""

QUICK: dict[str, Any] = {"maxSteps": 60, "maxImageSide": 160, "maxGaussians": 2000}
"""Training that ends at once."""

LONG: dict[str, Any] = {**QUICK, "maxSteps": 1500, "holdOutEvery": 0, "checkpointSeconds": CHECKPOINT_SECONDS}
"""Training that lasts for some seconds: no held-out photo ends it early."""

ENDLESS: dict[str, Any] = {**LONG, "maxSteps": 200_000}
"""Training that lasts until somebody ends it."""


@dataclass(frozen=True)
class Jobs:
    """The jobs of one namespace."""

    cluster: KubeCluster
    namespace: str

    def create(self, name: str, **spec: Any) -> Resource:
        """Creates a job over the sample's photos; what ``spec`` does not say is quick."""
        asked = {"source": {"uri": PHOTOS}, "profile": "Draft", "train": QUICK, **spec}
        body = {
            "apiVersion": "splatworks.dev/v1alpha1",
            "kind": "SplatJob",
            "metadata": {"name": name},
            "spec": asked,
        }
        return self.cluster.request("POST", self._path(), body)

    def get(self, name: str) -> Resource:
        """The job as it is now."""
        return self.cluster.request("GET", self._path(name))

    def change(self, name: str, **spec: Any) -> None:
        """Changes fields of the spec."""
        self.cluster.request(
            "PATCH", self._path(name), {"spec": spec}, content_type="application/merge-patch+json"
        )

    def delete(self, name: str) -> None:
        """Asks for a job to go; returns when it is gone."""
        self.cluster.request("DELETE", self._path(name))
        until(lambda: self._is_gone(name), f"{name} does not go", detail=lambda: str(self.get(name)))

    def until(
        self, name: str, wanted: Callable[[Mapping[str, Any]], object], *, seconds: float = SECONDS
    ) -> Resource:
        """The job as soon as its status is as wanted."""
        last: Resource = {}

        def look() -> Resource | None:
            last.update(self._found(name) or {})
            return last if wanted(last.get("status") or {}) else None

        return until(look, f"{name} is not as wanted", seconds=seconds, detail=lambda: str(last))

    def until_phase(self, name: str, phase: str, *, seconds: float = SECONDS) -> Resource:
        """The job once it is in a phase; fails at once where it ends in another."""

        def wanted(status: Mapping[str, Any]) -> bool:
            now = status.get("phase", "")
            assert now == phase or now not in ("Succeeded", "Failed"), f"{name}: {status}"
            return bool(now == phase)

        return self.until(name, wanted, seconds=seconds)

    def until_begun(self, name: str, stage_name: str) -> Resource:
        """The job once the stage's first attempt was given to a worker, even if it is over by now."""
        return self.until(name, lambda status: stage({"status": status}, stage_name).get("attempt"))

    def until_running(self, name: str, stage_name: str) -> Resource:
        """The job while an attempt of the stage is with a worker."""
        return self.until(
            name, lambda status: stage({"status": status}, stage_name).get("state") == "Running"
        )

    def clear(self) -> None:
        """Deletes all jobs, which takes their work off the workers; returns when they are gone."""
        names = [item["metadata"]["name"] for item in self.cluster.request("GET", self._path())["items"]]
        for name in names:
            self.cluster.request("DELETE", self._path(name))
        until(lambda: not self.cluster.request("GET", self._path())["items"], f"some of {names} do not go")

    def events(self, name: str, last: str) -> list[Resource]:
        """The events of a job, in order, once the reason of the last is ``last``: they follow the status."""

        def look() -> list[Resource] | None:
            found = self._events(name)
            return found if found and found[-1]["reason"] == last else None

        return until(look, f"{name} has no event {last}")

    def _events(self, name: str) -> list[Resource]:
        found = self.cluster.request(
            "GET",
            f"/api/v1/namespaces/{self.namespace}/events?fieldSelector=involvedObject.name={name}",
        )["items"]
        return sorted(found, key=lambda event: int(event["metadata"]["resourceVersion"]))

    def release_lease(self) -> None:
        """Frees the operator's Lease at once, whoever holds it."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/splatworks-operator"
        self.cluster.request("DELETE", path)

    def _found(self, name: str) -> Resource | None:
        """The job; None while the API server does not answer, or not yet as it should."""
        try:
            return self.get(name)
        except (OSError, HTTPException):
            return None
        except ApiError as error:
            if error.code < 500 and error.code not in (401, 403, 429):
                raise
            return None

    def _is_gone(self, name: str) -> bool:
        try:
            self.get(name)
        except ApiError as error:
            return error.code == 404
        return False

    def _path(self, *names: str) -> str:
        root = f"/apis/splatworks.dev/v1alpha1/namespaces/{self.namespace}/splatjobs"
        return "/".join([root, *names])


def stage(resource: Mapping[str, Any], name: str) -> Resource:
    """What a job's status says of a stage; nothing before the first."""
    stages = (resource.get("status") or {}).get("stages", ())
    return next((dict(one) for one in stages if one["name"] == name), {})
