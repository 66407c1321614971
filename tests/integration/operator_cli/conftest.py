"""The cluster commands of ``splatworks`` on a real API server, where the test itself plays the operator."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import kr8s.asyncio
import pytest
from typer.testing import CliRunner

from splatworks_operator.cli.app import app
from splatworks_operator.resource import to_resource
from splatworks_operator.status import (
    JobResult,
    JobStatus,
    Phase,
    Progress,
    StageName,
    StageState,
    StageStatus,
    WorkerRef,
)
from tests.kube.cluster import KubeCluster

COMMAND = [sys.executable, "-m", "splatworks_operator"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Cli:
    """``splatworks`` as a person runs it, in a namespace of the test's own."""

    cluster: KubeCluster
    namespace: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *words: object, stdin: str = "", check: bool = True) -> Ended:
        # kr8s keeps a connection per event loop by the loop's id, which a later loop may have too.
        kr8s.asyncio.Api._instances.clear()
        environment = {**self.cluster.environment, **self.environment}
        done = CliRunner().invoke(app, [str(word) for word in words], input=stdin, env=environment)
        assert not check or done.exit_code == 0, done.stderr
        return Ended(done.exit_code, done.stdout, done.stderr)

    def here(self, command: str, *words: object, stdin: str = "", check: bool = True) -> Ended:
        """A command in the test's namespace."""
        return self(command, *words, "-n", self.namespace, stdin=stdin, check=check)

    def start(self, command: str, *words: object) -> subprocess.Popen[str]:
        """A command in the test's namespace that goes on."""
        return subprocess.Popen(
            [*COMMAND, command, *map(str, words), "-n", self.namespace],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**self.cluster.environment, **self.environment, "PYTHONUNBUFFERED": "1"},
        )

    def job(self, name: str) -> dict[str, Any]:
        """A SplatJob as the API server has it."""
        return self.cluster.get("splatjob", name, namespace=self.namespace)

    def report(self, name: str, status: JobStatus) -> None:
        """Writes a job's status, as the operator does."""
        patch = {"status": to_resource(status)}
        self.cluster.patch("splatjob", name, patch, namespace=self.namespace, subresource="status")


@pytest.fixture
def cli(splatjob_cluster: KubeCluster, kube_namespace: str) -> Cli:
    """The command, with nothing known about the object store."""
    return Cli(splatjob_cluster, kube_namespace)


@pytest.fixture
def fox(cli: Cli) -> Callable[[], dict[str, Any]]:
    """A SplatJob called fox, and what the API server knows of it."""
    cli.here("submit", "s3://splatworks/uploads/fox/photos.zip")
    return lambda: cli.job("fox")


def running(percent: float = 26.0) -> JobStatus:
    """A job in its first stage."""
    progress = Progress(percent=percent, done=8, total=50, message="Finding features", unit="photos")
    stage = StageStatus(
        StageName.SFM,
        StageState.RUNNING,
        attempt=1,
        operation="operations/x.sfm.1",
        worker=WorkerRef("splatworks-sfm-0", "10.0.0.1:50051", "abc"),
        started=1_760_000_000,
        progress=progress,
    )
    return JobStatus(phase=Phase.RUNNING, started=1_760_000_000, generation=1).with_stage(stage)


def succeeded(uri: str = "s3://splatworks/jobs/fox") -> JobStatus:
    """A job that has ended well."""
    metrics: dict[StageName, dict[str, float]] = {
        StageName.SFM: {
            "registered_images": 49,
            "total_images": 50,
            "points": 10358,
            "mean_reprojection_error_px": 1.05,
        },
        StageName.TRAIN: {"psnr": 30.12, "ssim": 0.91, "gaussians": 120000, "steps": 2000},
        StageName.COMPRESS: {"size_bytes": 1.9e6, "ratio": 15.6, "gaussians": 120000},
        StageName.PUBLISH: {},
    }
    stages = tuple(
        StageStatus(
            name,
            StageState.SUCCEEDED,
            attempt=1,
            worker=WorkerRef(f"splatworks-{name}-0"),
            started=1_760_000_000,
            ended=1_760_000_125,
            metrics=metrics[name],
        )
        for name in StageName
    )
    return JobStatus(
        phase=Phase.SUCCEEDED,
        stages=stages,
        message="The scene is ready: https://splats.example.com/s/fox/",
        started=1_760_000_000,
        completed=1_760_000_500,
        result=JobResult(
            uri=uri,
            viewer_url="https://splats.example.com/s/fox/",
            num_gaussians=120000,
            registered_images=49,
            total_images=50,
            psnr=30.12,
            ssim=0.91,
            size_bytes=1_900_000,
            compression_ratio=15.6,
        ),
        generation=1,
    )


def failed(stage: StageStatus) -> JobStatus:
    """A job that one stage has ended."""
    return JobStatus(phase=Phase.FAILED, completed=1_760_000_500, generation=1).with_stage(stage)
