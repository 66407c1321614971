"""The small client of the Kubernetes API, against the fake API server; what it asks of a real one too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from splatworks_operator.kube.api import Api, ApiError, connect, path
from splatworks_operator.kube.splatjobs import SplatJobs
from tests.fakes.kube_api import SLICES, SPLATJOBS, Object
from tests.integration.operator.conftest import NAMESPACE, World
from tests.kube.cluster import KubeCluster

_MEBIBYTE = 2**20


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    api = await connect()
    yield api
    await api.close()


async def _next_change(world: World, api: Api, size: int) -> int:
    """How large the object arrives that a watch is shown next."""
    where = path(*SLICES, "splatworks")
    world.kube.create(SLICES, {"metadata": {"name": "sfm", "namespace": "splatworks"}})
    since = (await api.get(where))["metadata"]["resourceVersion"]
    await asyncio.to_thread(world.kube.patch, SLICES, "splatworks", "sfm", {"endpoints": "x" * size})
    async for event in api.watch(where, since=since, seconds=10):
        return len(event["object"]["endpoints"])
    raise AssertionError("nothing was shown")


async def test_an_object_as_large_as_etcd_takes_is_shown(world: World, api: Api):
    assert await _next_change(world, api, 2 * _MEBIBYTE) == 2 * _MEBIBYTE


async def test_what_is_larger_than_any_object_ends_the_watch_as_an_api_error(world: World, api: Api):
    with pytest.raises(ApiError):
        await _next_change(world, api, 16 * _MEBIBYTE)


async def _assert_only_the_version_is_read(api: Api, job: Object) -> None:
    metadata = job["metadata"]
    listed = await api.metadata(path(*SPLATJOBS, metadata["namespace"]))
    assert [set(item) - {"apiVersion", "kind"} for item in listed["items"]] == [{"metadata"}]
    versions = await SplatJobs(api).versions([metadata["namespace"]])
    assert versions == {metadata["uid"]: metadata["resourceVersion"]}


async def test_versions_are_read_without_the_jobs(world: World, api: Api):
    await _assert_only_the_version_is_read(api, world.submit(namespace=NAMESPACE))


async def test_where_there_are_no_jobs_there_are_no_versions(world: World, api: Api):
    assert await SplatJobs(api).versions([NAMESPACE]) == {}


@pytest.mark.kube
async def test_a_real_api_server_tells_versions_without_the_jobs_too(
    splatjob_cluster: KubeCluster, kube_namespace: str, monkeypatch: pytest.MonkeyPatch
):
    body = {
        "apiVersion": SPLATJOBS[0],
        "kind": "SplatJob",
        "metadata": {"name": "fox"},
        "spec": {"source": {"uri": "s3://photos/fox"}},
    }
    monkeypatch.setenv("KUBECONFIG", str(splatjob_cluster.kubeconfig))
    api = await connect()
    try:
        assert await SplatJobs(api).versions([kube_namespace]) == {}
        job = splatjob_cluster.create(body, namespace=kube_namespace)
        await _assert_only_the_version_is_read(api, job)
    finally:
        await api.close()
