"""What bad luck does to the processes of a control plane: kill, start again, compact."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException

import psutil

from tests.e2e.kube.waiting import until
from tests.kube.cluster import ApiError, KubeCluster


@dataclass
class ControlPlane:
    """The processes of a cluster that belongs to the test.

    Attributes:
        cluster: The cluster.
    """

    cluster: KubeCluster

    def __post_init__(self) -> None:
        self._server = self._find("kube-apiserver")
        self._command, self._folder = self._server.cmdline(), self._server.cwd()
        self._restarted: list[subprocess.Popen[bytes]] = []

    def kill_api_server(self) -> None:
        """``kill -9``."""
        self._server.kill()
        until(lambda: not self._server.is_running(), "the API server does not go")

    def start_api_server(self) -> None:
        """Starts it as it was started before; returns once it answers."""
        with (self.cluster.folder / "kube-apiserver-again.log").open("ab") as log:
            again = subprocess.Popen(
                self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._restarted.append(again)
        self._server = psutil.Process(again.pid)
        until(self._answers, "the API server does not come back")

    def compact(self) -> None:
        """Makes etcd forget all of the past but the present."""
        revision = self._etcd("kv/range", {"key": "AA=="})["header"]["revision"]
        self._etcd("kv/compaction", {"revision": revision, "physical": True})

    def close(self) -> None:
        """Ends what it has started; in order it would wait a minute for the controllers' watches."""
        for process in self._restarted:
            process.kill()
            process.wait()

    def _find(self, program: str) -> psutil.Process:
        (found,) = [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == program[:15]
            and any(str(self.cluster.folder) in word for word in process.info["cmdline"] or ())
        ]
        return found

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, HTTPException, ApiError):
            self.cluster.request("GET", "/apis/splatworks.dev/v1alpha1/splatjobs")
            return True
        return False

    def _etcd(self, method: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        (servers,) = [word for word in self._command if word.startswith("--etcd-servers=")]
        url = f"{servers.partition('=')[2]}/v3/{method}"
        with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10) as answer:
            found: dict[str, dict[str, str]] = json.loads(answer.read())
        return found
