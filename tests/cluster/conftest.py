"""One node, one release of the chart on it, for the whole run.

The images are those that ``make images ARCHIVE_DIR=...`` has written; ``SPLATWORKS_IMAGE_ARCHIVES`` names the
folder. Without it the tests are skipped: ``make test-cluster`` builds the images first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.node import Node, running_node

ARCHIVES = "SPLATWORKS_IMAGE_ARCHIVES"
RECORDS = "SPLATWORKS_CLUSTER_RECORDS"
IMAGES = ("sfm", "trainer", "compressor", "streamer", "operator", "store")
NAMESPACE = "splatworks"
INSTALL_SECONDS = 600


@pytest.fixture(scope="session")
def archives() -> list[Path]:
    """The images as files."""
    folder = os.environ.get(ARCHIVES)
    if not folder:
        pytest.skip("needs container images: make test-cluster")
    return [Path(folder) / f"splatworks-{image}.tar" for image in IMAGES]


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what a person would have seen; ``SPLATWORKS_CLUSTER_RECORDS`` names one that stays."""
    folder = Path(os.environ.get(RECORDS) or tmp_path_factory.mktemp("records"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def node(archives: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that knows the images."""
    with running_node(tmp_path_factory.mktemp("node") / "state") as node:
        for archive in archives:
            node.import_image(archive)
        yield node


@pytest.fixture(scope="session")
def release(node: Node, repository: Path, records: Path) -> Iterator[Node]:
    """The node with the single-node example installed, in a namespace that takes restricted pods only."""
    chart = repository / "charts" / "splatworks"
    node.kubectl("create", "namespace", NAMESPACE)
    node.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    try:
        node.run(
            *("helm", "install", "splatworks", chart, "--namespace", NAMESPACE),
            *("--values", chart / "examples" / "single-node.yaml", "--wait", f"--timeout={INSTALL_SECONDS}s"),
            timeout=INSTALL_SECONDS + 30,
        )
        yield node
    finally:
        _keep(node, records)


def _keep(node: Node, records: Path) -> None:
    """Writes what explains a failure, before the node is gone."""
    (records / "pods.txt").write_text(node.kubectl("get", "pods", "-o=wide", namespace=NAMESPACE))
    (records / "events.txt").write_text(node.kubectl("get", "events", namespace=NAMESPACE))
    for pod in node.kubectl("get", "pods", "-o=name", namespace=NAMESPACE).split():
        log = node.kubectl("logs", pod, "--ignore-errors", namespace=NAMESPACE)
        (records / f"{pod.rpartition('/')[2]}.log").write_text(log)
