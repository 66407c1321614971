"""A real service process: options, health, metrics, reflection, logs, and how it stops."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from splatworks.v1 import sfm_pb2, sfm_pb2_grpc
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.operations.channels import connect
from splatworks_common.operations.client import StageClient
from splatworks_common.reasons import Reason

COMMAND = [sys.executable, "-m", "splatworks_sfm.server"]
TOY = [sys.executable, "-m", "tests.integration.common.toy_service"]
REPOSITORY = Path(__file__).resolve().parents[3]


class Running:
    """One ``splatworks-sfm`` and the addresses it reported."""

    def __init__(
        self,
        bucket: StoreSettings,
        directory: Path,
        *arguments: str,
        stdin: int | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        ready = directory / "ready.json"
        self.log = directory / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--ready-file", str(ready), "--scratch", str(directory / "scratch"), *arguments],
                env={**bucket.environment(), "PATH": "", "PYTHONPATH": str(REPOSITORY)},
                stdin=stdin,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, "not ready within 60 s"
            time.sleep(0.02)
        self.addresses = json.loads(ready.read_text())
        self.channel = grpc.insecure_channel(self.addresses["grpc"])

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://{self.addresses['metrics']}/metrics", timeout=10) as answer:
            return str(answer.read(), "utf-8")

    def end_stdin(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()

    def close(self) -> None:
        self.channel.close()
        self.end_stdin()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


@pytest.fixture
def service(bucket: StoreSettings, tmp_path: Path) -> Iterator[Running]:
    running = Running(bucket, tmp_path, "--reflection")
    yield running
    running.close()


def test_health_is_serving_for_the_server_and_its_service(service):
    stub = health_pb2_grpc.HealthStub(service.channel)
    for name in ("", "splatworks.v1.SfmService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_services_when_it_is_asked_for(service):
    stub = reflection_pb2_grpc.ServerReflectionStub(service.channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(stub.ServerReflectionInfo(iter([question]), timeout=10))
    names = {listed.name for listed in answer.list_services_response.service}
    assert {"splatworks.v1.SfmService", "google.longrunning.Operations"} <= names


def test_refused_calls_are_counted_by_their_code(service):
    with pytest.raises(grpc.RpcError):
        sfm_pb2_grpc.SfmServiceStub(service.channel).Reconstruct(sfm_pb2.ReconstructRequest(), timeout=10)
    counted = (
        'grpc_server_handled_total{grpc_code="INVALID_ARGUMENT",grpc_method="Reconstruct",'
        'grpc_service="splatworks.v1.SfmService",grpc_type="unary"} 1.0'
    )
    deadline = time.monotonic() + 10
    while counted not in service.metrics():  # the answer may arrive before it is counted
        assert time.monotonic() < deadline, service.metrics()
        time.sleep(0.02)


def test_slots_of_the_stage_are_exported(service):
    assert 'splatworks_stage_slots{stage="sfm"} 1.0' in service.metrics()


def test_every_log_line_is_json(service):
    lines = service.log.read_text().splitlines()
    assert lines
    assert {json.loads(line)["level"] for line in lines} == {"info"}


def test_sigterm_ends_the_server_in_order(service):
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(15) == 0


async def test_sigterm_with_work_running_turns_health_down_and_preempts_the_work(bucket, tmp_path):
    with ArtifactStore(bucket) as store:
        store.put_bytes(store.uri("toy/photos/a.jpg"), b"a")
        prefix = str(store.uri("toy"))
    running = Running(bucket, tmp_path, "--drain-seconds", "0.5", command=TOY)
    try:
        async with connect(running.addresses["grpc"]) as channel:
            rpc = sfm_pb2_grpc.SfmServiceStub(channel).Reconstruct
            client = StageClient(rpc, sfm_pb2.ReconstructResponse, channel)
            request = sfm_pb2.ReconstructRequest(
                request_id="job.toy.1", photos_uri=f"{prefix}/photos", output_uri=f"{prefix}/hang"
            )
            name = (await client.start(request)).name
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            seen = [(await watch.read()).status]
            running.process.send_signal(signal.SIGTERM)
            seen.append((await watch.read()).status)
            state = await client.wait(name, 30)
            code = await asyncio.to_thread(running.process.wait, 30)
    finally:
        running.close()
    statuses = health_pb2.HealthCheckResponse
    assert seen == [statuses.SERVING, statuses.NOT_SERVING]
    assert state.error is not None
    assert state.error.reason is Reason.PREEMPTED
    assert code == 0


def test_a_port_in_use_is_refused_with_a_word(service, bucket):
    done = subprocess.run(
        [*COMMAND, "--listen", service.addresses["grpc"]],
        env=bucket.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert f"Can not listen on {service.addresses['grpc']}" in done.stderr


def test_the_server_ends_with_its_parent_s_pipe(bucket, tmp_path):
    running = Running(bucket, tmp_path, "--stop-on-stdin-eof", stdin=subprocess.PIPE)
    running.end_stdin()
    assert running.process.wait(15) == 0
    running.close()


def test_reflection_is_off_unless_asked_for(bucket, tmp_path):
    running = Running(bucket, tmp_path)
    stub = reflection_pb2_grpc.ServerReflectionStub(running.channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as refusal:
        next(stub.ServerReflectionInfo(iter([question]), timeout=10))
    running.close()
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--listen", "0.0.0.0:0"], "leaves this machine; missing: --tls-cert, --tls-key, --tls-client-ca"),
        (["--tls-cert", "none", "--tls-key", "none", "--auth-token-file", "none"], "none can not be read"),
        (["--capacity", "0"], "capacity"),
        (["--listen", "nonsense"], "host:port"),
    ],
)
def test_a_bad_option_is_refused_with_a_word(bucket, arguments, complaint):
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=bucket.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert complaint in done.stderr


def test_a_missing_store_is_named(tmp_path):
    done = subprocess.run(COMMAND, env={}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "SPLATWORKS_STORE_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_option_s_environment_variable():
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert "SPLATWORKS_DRAIN_SECONDS" in done.stdout
