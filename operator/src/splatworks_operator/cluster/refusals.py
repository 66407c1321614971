"""The API server's refusals in a person's words: what was refused, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from splatworks_operator.cluster.errors import ClusterError, ClusterUnreachable, Forbidden, NotFound
from splatworks_operator.crd.definition import PLURAL


@dataclass(frozen=True)
class Asked:
    """What a request was about.

    Attributes:
        verb: As RBAC calls it ("get", "list", "create" …).
        resource: The plural ("splatjobs", "pods/log").
        namespace: Where; "" for all namespaces.
        name: Of which object; "" for none in particular.
    """

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""

    @property
    def place(self) -> str:
        """Where, for people."""
        return f"namespace {self.namespace}" if self.namespace else "all namespaces"

    @property
    def thing(self) -> str:
        """What, for people: "SplatJob fox" or "pods"."""
        kind = "SplatJob" if self.resource == PLURAL else self.resource.partition("/")[0].removesuffix("s")
        return f"{kind} {self.name}" if self.name else self.resource


def refusal(asked: Asked, code: int, status: Mapping[str, Any]) -> ClusterError:
    """The error for an answer that is none.

    Args:
        asked: What the request was about.
        code: The HTTP status.
        status: The ``Status`` object of the answer; at least its ``message``.
    """
    message = str(status.get("message", "")).strip() or f"HTTP {code}"
    details = status.get("details") or {}
    if code == 401:
        return ClusterError(
            f"The cluster does not accept your credentials ({message}): sign in again, or choose another "
            "user with --context or --kubeconfig."
        )
    if code == 403:
        return _forbidden(asked, message)
    if code == 404:
        return _not_found(asked, details)
    if code == 409 and status.get("reason") == "AlreadyExists":
        return ClusterError(
            f"There is a {asked.thing} in {asked.place} already: choose another name with --name, or remove "
            f"that one with 'splatworks cancel {asked.name} --delete'."
        )
    if code == 422:
        return ClusterError(f"The cluster refuses {asked.thing}: {_causes(details) or message}")
    if code == 429 or code >= 500:
        return ClusterUnreachable(f"The cluster can not answer right now ({code}: {message}): try again.")
    return ClusterError(f"The cluster refuses to {asked.verb} {asked.thing} in {asked.place}: {message}")


def _forbidden(asked: Asked, message: str) -> Forbidden:
    if f"cannot {asked.verb}" not in message:  # not RBAC: a quota, or an admission policy
        return Forbidden(f"The cluster refuses to {asked.verb} {asked.thing} in {asked.place}: {message}")
    user = message.partition('User "')[2].partition('"')[0]
    return Forbidden(
        f"You ({user}) may not {asked.verb} {asked.resource} in {asked.place}: choose another namespace with "
        f"-n, or ask who runs the cluster for a Role with the verb {asked.verb!r} on {asked.resource}."
    )


def _not_found(asked: Asked, details: Mapping[str, Any]) -> NotFound:
    if details.get("kind") == "namespaces":
        return NotFound(f"There is no {asked.place}: choose another with -n, or make it with kubectl.")
    if asked.name and details.get("name") == asked.name:
        listed = f": 'splatworks list -n {asked.namespace}' shows those that are" if _is_job(asked) else ""
        return NotFound(f"There is no {asked.thing} in {asked.place}{listed}.")
    if _is_job(asked):
        return NotFound(
            "The cluster does not know SplatJobs: install Splatworks with "
            "'helm install splatworks charts/splatworks -n splatworks --create-namespace', or choose another "
            "cluster with --context."
        )
    return NotFound(f"The cluster does not know {asked.resource}.")


def _is_job(asked: Asked) -> bool:
    return asked.resource == PLURAL


def _causes(details: Mapping[str, Any]) -> str:
    causes = [
        f"{cause['field']}: {cause.get('message', '')}"
        for cause in details.get("causes", ())
        if cause.get("field")
    ]
    return "; ".join(dict.fromkeys(causes))
