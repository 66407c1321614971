"""The operator as its pod runs it: a process with its own account and the chart's configuration."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from splatworks_common.artifacts.settings import StoreSettings
from tests.e2e.kube.jobs import Jobs
from tests.e2e.kube.platform import Platform
from tests.e2e.kube.release import Release, installed
from tests.e2e.kube.waiting import until
from tests.kube.cluster import KubeCluster, new_namespace
from tests.loopback import free_port, get

COMMAND = Path(sys.executable).with_name("splatworks-operator")

Addresses = Mapping[str, Sequence[str]]
"""Workers by service."""


@dataclass
class Operator:
    """One replica.

    Attributes:
        release: Whose account and configuration it has.
        store: The object store.
        folder: Where its files are; it does not exist yet.
        addresses: The workers. Instead of EndpointSlices, which may not name loopback.
        metrics: Where its metrics are, as host:port.
    """

    release: Release
    store: StoreSettings
    folder: Path
    addresses: Addresses

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._kubeconfig = self.release.kubeconfig(self.folder / "kubeconfig")
        self._health, self.metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log").read_text()

    @property
    def ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Starts it; it may not lead yet."""
        workers = {**self.release.configuration["workers"], "tls": None, "addresses": dict(self.addresses)}
        local = {"workers": workers, "health": {"listen": self._health}, "metrics": {"listen": self.metrics}}
        config = self.folder / "operator.yaml"
        config.write_text(yaml.safe_dump({**self.release.configuration, **local}))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, "--config", config],
                env={
                    **os.environ,
                    **self.store.environment(),
                    "KUBECONFIG": str(self._kubeconfig),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self) -> None:
        """Returns once it drives jobs."""
        until(lambda: self.probe("/readyz")[0] == 200, "the operator is not ready", detail=lambda: self.log)

    def wait_until_recovered(self) -> None:
        """As ``wait_until_ready``; where it has given up its Lease, it is started again as by a kubelet."""

        def look() -> bool:
            self.keep_alive()
            return self.probe("/readyz")[0] == 200

        until(look, "the operator does not recover", detail=lambda: self.log)

    def kill(self) -> None:
        """``kill -9``."""
        self.process.kill()
        self.process.wait()

    def restart(self, addresses: Addresses) -> None:
        """Stops it and starts it again with other workers; returns once it drives jobs."""
        self.stop()
        self.addresses = addresses
        self.start()
        self.wait_until_ready()

    def keep_alive(self) -> None:
        """Starts it again where it has ended by itself, as a kubelet does."""
        if self.ended:
            self.start()

    def stop(self) -> None:
        """SIGTERM, as before a pod goes; returns when it has ended."""
        if self._process is not None and self._process.poll() is None:
            self.go_on()  # a test that has failed may have left it paused
            self._process.terminate()
            assert self._process.wait(30) == 0, self.log

    def pause(self) -> None:
        """As a machine that hangs."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After ``pause``."""
        self.process.send_signal(signal.SIGCONT)

    def probe(self, path: str) -> tuple[int, str]:
        """Status and text of a probe; 0 where nobody answers."""
        return get(f"http://{self._health}{path}")

    def scrape(self) -> str:
        """Its metrics."""
        return get(f"http://{self.metrics}/metrics")[1]

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the last start."""
        assert self._process is not None, "it was never started"
        return self._process


@contextlib.contextmanager
def own_namespace(
    cluster: KubeCluster, platform: Platform, folder: Path, addresses: Addresses
) -> Iterator[tuple[Jobs, Operator]]:
    """A namespace for the tests of one module, whose jobs an operator drives; leaves nothing behind.

    Args:
        cluster: Where.
        platform: Whose store the operator uses.
        folder: Where the operator's files are; it does not exist yet.
        addresses: The workers.
    """
    with new_namespace(cluster) as namespace:
        operator = Operator(installed(cluster, namespace), platform.store, folder, addresses)
        jobs = Jobs(cluster, namespace)
        operator.start()
        try:
            yield jobs, operator
        finally:
            operator.keep_alive()
            try:
                jobs.clear()
            finally:
                operator.stop()
