"""A control plane that goes away under running jobs and has forgotten the past when it comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.e2e.kube.control_plane import ControlPlane
from tests.e2e.kube.jobs import LONG, QUICK, Jobs, stage
from tests.e2e.kube.operators import Operator
from tests.e2e.kube.platform import STAGES, Platform
from tests.e2e.kube.release import Release, installed
from tests.kube.cluster import KubeCluster, new_namespace, running_cluster

pytestmark = [pytest.mark.kube, pytest.mark.timeout(240)]


@pytest.fixture
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeCluster]:
    """A cluster whose processes the test may kill."""
    with running_cluster(tmp_path_factory.mktemp("own") / "cluster") as cluster:
        cluster.install_crd()
        yield cluster


@pytest.fixture
def control_plane(own_cluster: KubeCluster) -> Iterator[ControlPlane]:
    with contextlib.closing(ControlPlane(own_cluster)) as control_plane:
        yield control_plane


@pytest.fixture
def release(own_cluster: KubeCluster) -> Iterator[Release]:
    with new_namespace(own_cluster) as namespace:
        yield installed(own_cluster, namespace)


def test_jobs_survive_an_api_server_that_is_killed_and_has_forgotten_the_past(
    control_plane: ControlPlane, jobs: Jobs, operator: Operator, platform: Platform
):
    """No watch of before can go on: the version it would go on from is compacted away."""
    uids = [jobs.create("running", train={**LONG, "seed": 31})["metadata"]["uid"]]
    jobs.until_running("running", "train")
    operator.pause()
    uids += [jobs.create("meanwhile", train={**QUICK, "seed": 32})["metadata"]["uid"]]
    control_plane.kill_api_server()
    control_plane.compact()
    control_plane.start_api_server()
    operator.go_on()
    operator.wait_until_recovered()
    for name in ("meanwhile", "running"):
        job = jobs.until_phase(name, "Succeeded")
        assert [stage(job, one)["attempt"] for one in STAGES] == [1, 1, 1, 1]
    assert all(set(platform.started(uid).values()) == {1} for uid in uids)
