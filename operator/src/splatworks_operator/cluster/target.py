"""Which cluster and namespace a person means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """Which cluster, as a person said; None leaves it to the kubeconfig.

    Attributes:
        kubeconfig: A kubeconfig file.
        context: One of its contexts.
        namespace: Where to look.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
