"""A one-node Kubernetes whose pods really run, from the kit in ``../shared/kube``.

Needs root and the Debian packages that the kit names. The node's network has no uplink, so images are
imported from archives and nothing is ever pulled; this machine gets in through forwarders on loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.kube.cluster import KIT, KubeCluster, kit

_POLL_SECONDS = 1.0


class Node(KubeCluster):
    """The running cluster, as seen by its administrator."""

    def import_image(self, archive: Path) -> None:
        """Makes an image known to the node."""
        kit("image-import", "--dir", self.folder, archive)

    def forward(self, target: str) -> int:
        """A port on loopback that leads to ``namespace/service:port``, for as long as the node is there."""
        return int(kit("forward", "--dir", self.folder, target).rpartition(":")[2])

    def wait_until(
        self, done: Callable[[dict[str, Any]], bool], kind: str, name: str, *, namespace: str, seconds: float
    ) -> dict[str, Any]:
        """The resource as soon as ``done`` is true of it; a pause lies between two looks."""
        deadline = time.monotonic() + seconds
        while not done(found := self.get(kind, name, namespace=namespace)):
            status = json.dumps(found.get("status"), indent=1)
            assert time.monotonic() < deadline, f"{kind} {name} after {seconds:g} s:\n{status}"
            time.sleep(_POLL_SECONDS)
        return found

    @contextmanager
    def recording(self, path: Path, *words: str) -> Iterator[None]:
        """Writes what a kubectl command shows to a file for as long as the context lasts."""
        with path.open("wb") as file:
            process = subprocess.Popen(["kubectl", *words], env=self.environment, stdout=file)
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)

    @contextmanager
    def port_forward(self, target: str, port: int, *, namespace: str) -> Iterator[int]:
        """The port on loopback that ``kubectl port-forward`` opens, for as long as the context lasts."""
        command = ["kubectl", "port-forward", target, f":{port}", f"--namespace={namespace}"]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                said = process.stdout.readline()  # Forwarding from 127.0.0.1:40115 -> 8333
                yield int(said.partition(" -> ")[0].rpartition(":")[2])
            finally:
                process.terminate()


@contextmanager
def running_node(folder: Path) -> Iterator[Node]:
    """A node of one's own, for as long as the context lasts; its folder and every process are gone after it.

    Args:
        folder: Where it may put what it owns; a folder that does not exist yet.
    """
    if not KIT.is_file():
        pytest.skip("needs the Kubernetes of ../shared/kube")
    if os.geteuid() != 0:
        pytest.skip("needs root: the node makes namespaces and mounts")
    binaries = Path(kit("assets", "--node").strip())
    try:
        kit("node-up", "--dir", folder)
        yield Node(kubeconfig=folder / "kubeconfig", binaries=binaries, folder=folder)
    finally:
        kit("node-down", "--dir", folder)
