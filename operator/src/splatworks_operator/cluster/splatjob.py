"""A SplatJob as the commands see it: the API server's object, read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from splatworks_operator.cluster.errors import ClusterError
from splatworks_operator.crd.definition import GROUP, KIND, VERSION
from splatworks_operator.resource import from_resource
from splatworks_operator.status import JobStatus

API_VERSION = f"{GROUP}/{VERSION}"


@dataclass(frozen=True)
class SplatJob:
    """A SplatJob as the API server has it.

    Attributes:
        resource: The object.
    """

    resource: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.resource["metadata"]["name"])

    @property
    def full_name(self) -> str:
        """Its name as kubectl takes it."""
        return f"{KIND.lower()}.{GROUP}/{self.name}"

    @property
    def namespace(self) -> str:
        """Where it lives."""
        return str(self.resource["metadata"]["namespace"])

    @property
    def uid(self) -> str:
        """Its identity."""
        return str(self.resource["metadata"]["uid"])

    @property
    def version(self) -> str:
        """Which of its versions this is."""
        return str(self.resource["metadata"]["resourceVersion"])

    @property
    def created(self) -> int:
        """When it was made, in seconds since the epoch."""
        return int(datetime.fromisoformat(self.resource["metadata"]["creationTimestamp"]).timestamp())

    @property
    def spec(self) -> Mapping[str, Any]:
        """What it asks for."""
        spec: Mapping[str, Any] = self.resource["spec"]
        return spec

    @cached_property
    def status(self) -> JobStatus:
        """What is known about it.

        Raises:
            ClusterError: The status is not one that this version knows.
        """
        try:
            return from_resource(self.resource.get("status", {}))
        except (KeyError, ValueError) as error:
            raise ClusterError(
                f"The status of {self.name} is not understood ({error}): update splatworks to the version of "
                "the operator, or look with -o yaml."
            ) from error
