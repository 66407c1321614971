"""The whole platform on a real API server: the operator under its own account, real workers, a real store.

One cluster, one store and one set of workers for all tests; one namespace and one operator for each. A test
that harms a worker or the API server brings one of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from splatworks_common.embedded_store import EmbeddedStore
from tests.e2e.kube.jobs import PHOTOS, Jobs
from tests.e2e.kube.observed import Observed, observe
from tests.e2e.kube.operators import Addresses, Operator
from tests.e2e.kube.platform import PHOTO_COUNT, SERVICES, Platform
from tests.e2e.kube.release import Release, installed
from tests.kube.cluster import KubeCluster

LONGEST_SIDE = 400
"""Of the photos, in pixels: the least that is quick."""

StartOperator = Callable[[Addresses], Operator]


@pytest.fixture(scope="session")
def platform(
    splatjob_cluster: KubeCluster, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The store with the sample's photos, and one worker of each service. Nobody may kill these."""
    folder = tmp_path_factory.mktemp("platform")
    with (
        EmbeddedStore(folder / "store") as store,
        contextlib.closing(Platform(store.settings, folder / "workers")) as platform,
    ):
        for worker in [platform.start(service) for service in SERVICES]:
            worker.wait_until_ready()
        photos = sorted((repository / "examples" / "capture").glob("*.jpg"))[:PHOTO_COUNT]
        platform.upload(_reduced(photos, folder / "photos"), PHOTOS)
        yield platform


def _reduced(photos: Iterable[Path], folder: Path) -> list[Path]:
    """Copies that are quick to train on."""
    folder.mkdir()
    for path in photos:
        with Image.open(path) as photo:
            photo.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            photo.save(folder / path.name, quality=92)
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def shared_addresses(platform: Platform) -> Addresses:
    """The shared workers."""
    return {service: [platform.shared(service).address] for service in SERVICES}


@pytest.fixture(scope="session")
def observed(
    splatjob_cluster: KubeCluster,
    platform: Platform,
    shared_addresses: Addresses,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Observed]:
    """The platform as its monitoring sees it while jobs run."""
    folder = tmp_path_factory.mktemp("monitoring")
    with observe(splatjob_cluster, platform, shared_addresses, folder) as observed:
        yield observed


@pytest.fixture
def release(splatjob_cluster: KubeCluster, kube_namespace: str) -> Release:
    """The chart's account for the operator in the test's namespace."""
    return installed(splatjob_cluster, kube_namespace)


@pytest.fixture
def jobs(release: Release) -> Jobs:
    """The jobs of the test's namespace."""
    return Jobs(release.cluster, release.namespace)


@pytest.fixture
def start_operator(
    platform: Platform, release: Release, jobs: Jobs, tmp_path: Path
) -> Iterator[StartOperator]:
    """Starts operators; in the end they take what the test's jobs still do off the workers, and end."""
    operators: list[Operator] = []

    def start(addresses: Addresses) -> Operator:
        operator = Operator(release, platform.store, tmp_path / f"operator-{len(operators)}", addresses)
        operators.append(operator)
        operator.start()
        return operator

    yield start
    try:
        if operators:
            operators[-1].keep_alive()
            jobs.clear()
    finally:
        for operator in operators:
            operator.stop()


@pytest.fixture
def operator(start_operator: StartOperator, shared_addresses: Addresses) -> Operator:
    """An operator over the shared workers that drives the jobs of the test's namespace."""
    operator = start_operator(shared_addresses)
    operator.wait_until_ready()
    return operator
