"""A real service process beyond loopback: its flags, its plaintext health, certificates replaced under it."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from splatworks.v1 import sfm_pb2, sfm_pb2_grpc, worker_pb2, worker_pb2_grpc
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.operations import client
from splatworks_common.operations.channels import Channels, ClientTls
from splatworks_common.operations.client import StageClient
from splatworks_common.reasons import Reason, WorkerLost
from tests.certificates import Authority
from tests.integration.common.test_server import TOY, Running

WORKER, OPERATOR = "sfm.test.svc", "operator.test.svc"


@dataclass
class Secured:
    running: Running
    authority: Authority
    tls: ClientTls

    @property
    def address(self) -> str:
        port = self.running.addresses["grpc"].rpartition(":")[2]
        return f"127.0.0.1:{port}"

    def metric(self, name: str) -> float:
        line = next(line for line in self.running.metrics().splitlines() if line.startswith(f"{name} "))
        return float(line.rpartition(" ")[2])


@pytest.fixture
def secured(bucket: StoreSettings, tmp_path: Path) -> Iterator[Secured]:
    authority = Authority(tmp_path / "pki")
    worker = authority.issue("worker", [WORKER], days=10)
    operator = authority.issue("operator", [OPERATOR])
    running = Running(
        bucket,
        tmp_path,
        *("--listen", "0.0.0.0:0", "--health-listen", "127.0.0.1:0"),
        *("--tls-cert", str(worker.cert), "--tls-key", str(worker.key)),
        *("--tls-client-ca", str(authority.file), "--allowed-san", OPERATOR),
        command=TOY,
    )
    yield Secured(running, authority, ClientTls(authority.file, operator.cert, operator.key))
    running.close()


async def test_an_allowed_client_learns_who_answers(secured: Secured) -> None:
    channels = Channels(secured.tls)
    worker = await client.get_worker(channels.get(secured.address, WORKER))
    await channels.close()

    assert (worker.stage, worker.capacity, worker.running, worker.draining) == ("toy", 1, 0, False)
    assert len(worker.instance) == 32
    assert worker.version


async def test_another_client_is_refused_and_counted_in_the_scraped_metrics(secured: Secured) -> None:
    stranger = secured.authority.issue("stranger", ["stranger.test.svc"])
    channels = Channels(ClientTls(secured.authority.file, stranger.cert, stranger.key))
    with pytest.raises(WorkerLost, match="none of the names"):
        await client.get_worker(channels.get(secured.address, WORKER))
    await channels.close()

    assert secured.metric('splatworks_auth_refused_total{why="wrong_identity"}') == 1


def test_the_plaintext_port_answers_health_and_nothing_else(secured: Secured) -> None:
    with grpc.insecure_channel(secured.running.addresses["health"]) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answers = [
            health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10).status
            for name in ("", "splatworks.v1.SfmService")
        ]
        codes = []
        others: list[tuple[Any, Any]] = [
            (worker_pb2_grpc.WorkerServiceStub(channel).GetWorker, worker_pb2.GetWorkerRequest()),
            (sfm_pb2_grpc.SfmServiceStub(channel).Reconstruct, sfm_pb2.ReconstructRequest()),
        ]
        for call, request in others:
            with pytest.raises(grpc.RpcError) as refusal:
                call(request, timeout=10)
            codes.append(refusal.value.code())

    assert answers == [health_pb2.HealthCheckResponse.SERVING] * 2
    assert codes == [grpc.StatusCode.UNIMPLEMENTED] * 2


async def test_a_renewed_certificate_shows_in_the_metrics_and_the_process_stays(secured: Secured) -> None:
    channels = Channels(secured.tls)
    before = await client.get_worker(channels.get(secured.address, WORKER))
    days_before = (secured.metric("splatworks_tls_certificate_expiry_seconds") - time.time()) / 86400
    secured.authority.issue("worker", [WORKER], days=20)
    secured.authority.issue("operator", [OPERATOR])
    after = await client.get_worker(channels.get(secured.address, WORKER))
    days_after = (secured.metric("splatworks_tls_certificate_expiry_seconds") - time.time()) / 86400
    await channels.close()

    assert [days_before, days_after] == pytest.approx([10, 20], abs=0.1)
    assert after.instance == before.instance


@pytest.mark.parametrize("listen", [["--metrics-listen", "0.0.0.0:0"], ["--health-listen", "0.0.0.0:0"]])
def test_metrics_and_health_may_leave_loopback(
    bucket: StoreSettings, tmp_path: Path, listen: list[str]
) -> None:
    running = Running(bucket, tmp_path, *listen, command=TOY)
    port = running.addresses["metrics"].rpartition(":")[2]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        status = answer.status
    running.close()

    assert status == 200


async def test_a_start_meant_for_another_process_starts_nothing(
    bucket: StoreSettings, tmp_path: Path
) -> None:
    running = Running(bucket, tmp_path, command=TOY)
    channels = Channels()
    channel = channels.get(running.addresses["grpc"])
    stage = StageClient(
        sfm_pb2_grpc.SfmServiceStub(channel).Reconstruct, sfm_pb2.ReconstructResponse, channel
    )
    request = sfm_pb2.ReconstructRequest(
        request_id="job.toy.1",
        photos_uri=f"s3://{bucket.bucket}/toy/photos",
        output_uri=f"s3://{bucket.bucket}/toy/hang",
    )
    with pytest.raises(WorkerLost) as caught:
        await stage.start(request, instance="of-before")
    listed = await stage.list()
    instance = (await client.get_worker(channel)).instance
    started = await stage.start(request, instance=instance)
    await channels.close()
    running.close()

    assert caught.value.reason is Reason.WORKER_LOST
    assert listed == []
    assert started.name == "operations/job.toy.1"
