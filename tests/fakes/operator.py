"""The operator in tests: as a thread of this process, or as a process of its own that can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from prometheus_client import CollectorRegistry

from splatworks_operator.kube.config import OperatorConfig
from splatworks_operator.kube.metrics import OperatorMetrics
from splatworks_operator.kube.operating import Vitals, new_vitals, operate
from tests.fakes.store import FolderArtifacts
from tests.loopback import free_port, get


@dataclass
class OperatorThread:
    """The acting part of the operator, without Lease and probes; finds the API server by KUBECONFIG."""

    config: OperatorConfig
    store: FolderArtifacts
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    audit_seconds: float = 0.2

    def __post_init__(self) -> None:
        self.metrics = OperatorMetrics(self.registry)
        self.vitals: Vitals = new_vitals(self.store, audit_seconds=self.audit_seconds)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Returns once it drives jobs."""
        self._thread.start()
        while not self.vitals.started.wait(0.02):
            assert self._thread.is_alive(), f"the operator did not start: {self._error!r}"

    def stop(self) -> None:
        """Ends it in order."""
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the operator did not stop"
        assert self._error is None, repr(self._error)

    def _run(self) -> None:
        try:
            asyncio.run(
                operate(self.config, self.store, self.metrics, self.vitals, self._stop, "operator-in-a-test")
            )
        except BaseException as error:
            self._error = error


@dataclass
class OperatorProcess:
    """The whole operator as a process."""

    config: dict[str, Any]
    store_folder: Path
    kubeconfig: Path
    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = self.folder / "operator.yaml"
        self.health, self.metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
        listening = {"health": {"listen": self.health}, "metrics": {"listen": self.metrics}}
        self._file.write_text(yaml.safe_dump({**self.config, **listening}))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log").read_text()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Returns at once."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fakes.operator_main", str(self._file), str(self.store_folder)],
                env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """``kill -9``."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def wait(self, seconds: float) -> int:
        """The exit status, once it ends by itself."""
        assert self._process is not None
        return self._process.wait(seconds)

    def pause(self) -> None:
        """As a machine that hangs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def memory_mb(self) -> float:
        """The most memory it has had."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def cpu_seconds(self) -> float:
        """The processor time it has had."""
        assert self._process is not None
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def probe(self, path: str) -> tuple[int, str]:
        """The status and text of a probe; 0 where nobody answers."""
        return get(f"http://{self.health}{path}")

    def scrape(self) -> str:
        """The metrics."""
        return get(f"http://{self.metrics}/metrics")[1]
