"""SplatJobs in a namespace of their own."""

from __future__ import annotations

import pytest

from tests.integration.crd.splatjobs import SplatJobs
from tests.kube.cluster import KubeCluster


@pytest.fixture
def splatjobs(splatjob_cluster: KubeCluster, kube_namespace: str) -> SplatJobs:
    """The jobs of a namespace in which there are none."""
    return SplatJobs(splatjob_cluster, kube_namespace)


@pytest.fixture(scope="module")
def verdicts(splatjob_cluster: KubeCluster) -> SplatJobs:
    """Jobs that are only ever asked for, never made, so that a table of them can share one namespace."""
    return SplatJobs(splatjob_cluster, "default")
