"""Who may call, over real TLS on loopback, with certificates made here and replaced while the server runs."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import prometheus_client
import pytest
from cryptography import x509
from google.rpc import code_pb2, error_details_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from splatworks.v1 import worker_pb2, worker_pb2_grpc
from splatworks_common.grpc_errors import ErrorInterceptor
from splatworks_common.identity import IdentityInterceptor, RefusedCalls
from splatworks_common.metrics import CallMetricsInterceptor
from splatworks_common.operations import client
from splatworks_common.operations.channels import Channels, ClientTls, connect
from splatworks_common.operations.registry import OperationRegistry
from splatworks_common.operations.worker import Worker, WorkerServicer
from splatworks_common.reasons import Reason, WorkerLost
from splatworks_common.tls import ServerCertificates, ServerTls
from splatworks_common.tokens import TokenFile
from tests.certificates import Authority, Files

WORKER, OPERATOR, SPIFFE = "sfm.test.svc", "operator.test.svc", "spiffe://test/operator"
REFUSED = "splatworks_auth_refused_total"


@dataclass
class Secured:
    """A server that asks who calls, and what is needed to call it."""

    address: str
    authority: Authority
    files: Files
    token: Path
    metrics: prometheus_client.CollectorRegistry

    def refused(self, why: str) -> float | None:
        return self.metrics.get_sample_value(REFUSED, {"why": why})

    def tls(self, *sans: str) -> ClientTls:
        """The files of a client with these names, or of one without a certificate."""
        if not sans:
            return ClientTls(self.authority.file)
        files = self.authority.issue("client", sans)
        return ClientTls(self.authority.file, files.cert, files.key)

    def connect(
        self, *sans: str, token: Path | None = None
    ) -> contextlib.AbstractAsyncContextManager[grpc.aio.Channel]:
        return connect(self.address, self.tls(*sans), token, WORKER)


@contextlib.asynccontextmanager
async def serving(tmp_path: Path, *, names: frozenset[str], with_token: bool) -> AsyncIterator[Secured]:
    authority = Authority(tmp_path / "pki")
    files = authority.issue("worker", [WORKER])
    token = tmp_path / "token"
    token.write_text("the-right-token\n")
    metrics = prometheus_client.CollectorRegistry()
    interceptors = [
        CallMetricsInterceptor(metrics),
        IdentityInterceptor(names, TokenFile(token) if with_token else None, RefusedCalls(metrics)),
        ErrorInterceptor(),
    ]
    server = grpc.aio.server(interceptors=interceptors)
    registry = OperationRegistry(capacity=1, scratch=tmp_path / "scratch", ttl_seconds=60)
    worker_pb2_grpc.add_WorkerServiceServicer_to_server(WorkerServicer(Worker("sfm", "1"), registry), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    reflection.enable_server_reflection([reflection.SERVICE_NAME], server)
    certificates = ServerCertificates(
        ServerTls(files.cert, files.key, client_ca=authority.file if names else None)
    )
    port = server.add_secure_port("127.0.0.1:0", certificates.credentials())
    await server.start()
    try:
        yield Secured(f"127.0.0.1:{port}", authority, files, token, metrics)
    finally:
        await server.stop(0)


@pytest.fixture
async def by_name(tmp_path: Path) -> AsyncIterator[Secured]:
    """Asks for a client certificate with one of two names."""
    async with serving(tmp_path, names=frozenset({OPERATOR, SPIFFE}), with_token=False) as server:
        yield server


@pytest.fixture
async def by_token(tmp_path: Path) -> AsyncIterator[Secured]:
    """Asks for a token."""
    async with serving(tmp_path, names=frozenset(), with_token=True) as server:
        yield server


@pytest.fixture
async def by_either(tmp_path: Path) -> AsyncIterator[Secured]:
    """Asks for a client certificate, and for its name or a token."""
    async with serving(tmp_path, names=frozenset({OPERATOR}), with_token=True) as server:
        yield server


async def code_of(channel: grpc.aio.Channel, **call: Any) -> grpc.StatusCode:
    """How a call ends."""
    stub: Any = worker_pb2_grpc.WorkerServiceStub(channel)
    try:
        await stub.GetWorker(worker_pb2.GetWorkerRequest(), timeout=10, **call)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("names", [[OPERATOR], [SPIFFE], ["another.test.svc", OPERATOR]])
async def test_a_certificate_with_an_allowed_name_may_call(by_name: Secured, names: list[str]) -> None:
    async with by_name.connect(*names) as channel:
        assert (await client.get_worker(channel)).stage == "sfm"


@pytest.mark.parametrize(
    "name", ["another.test.svc", "evil-" + OPERATOR, OPERATOR + ".evil", SPIFFE + "/more"]
)
async def test_a_certificate_with_another_name_is_unauthenticated_and_counted(
    by_name: Secured, name: str
) -> None:
    async with by_name.connect(name) as channel:
        assert await code_of(channel) is grpc.StatusCode.UNAUTHENTICATED

    assert by_name.refused("wrong_identity") == 1


async def test_no_certificate_gets_no_connection(by_name: Secured) -> None:
    async with by_name.connect() as channel:
        assert await code_of(channel) is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_of_another_authority_gets_no_connection(
    by_name: Secured, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger").issue("client", [OPERATOR])
    tls = ClientTls(by_name.authority.file, stranger.cert, stranger.key)
    async with connect(by_name.address, tls, None, WORKER) as channel:
        assert await code_of(channel) is grpc.StatusCode.UNAVAILABLE


async def test_plaintext_gets_no_connection(by_name: Secured) -> None:
    async with connect(by_name.address) as channel:
        assert await code_of(channel) is grpc.StatusCode.UNAVAILABLE


async def test_a_client_refuses_a_server_of_another_name(by_name: Secured) -> None:
    tls = by_name.tls(OPERATOR)
    async with connect(by_name.address, tls, None, "trainer.test.svc") as channel:
        assert await code_of(channel) is grpc.StatusCode.UNAVAILABLE


async def test_the_right_token_may_call(by_token: Secured) -> None:
    async with by_token.connect(token=by_token.token) as channel:
        assert await code_of(channel) is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ((), "no_credentials"),
        ((("authorization", "Bearer a-wrong-token"),), "wrong_token"),
        ((("authorization", "Bearer the-right-toke"),), "wrong_token"),
        ((("authorization", "Bearer "),), "wrong_token"),
        ((("authorization", "Basic the-right-token"),), "no_credentials"),
    ],
)
async def test_a_call_without_the_right_token_is_unauthenticated_and_counted(
    by_token: Secured, metadata: Any, why: str
) -> None:
    async with by_token.connect() as channel:
        assert await code_of(channel, metadata=metadata) is grpc.StatusCode.UNAUTHENTICATED

    assert by_token.refused(why) == 1


async def test_a_replaced_token_is_asked_for_and_sent_without_a_restart(by_token: Secured) -> None:
    async with by_token.connect(token=by_token.token) as channel:
        assert await code_of(channel) is grpc.StatusCode.OK
        by_token.token.write_text("another-token")
        assert await code_of(channel) is grpc.StatusCode.OK

    stale = (("authorization", "Bearer the-right-token"),)
    async with by_token.connect() as channel:
        assert await code_of(channel, metadata=stale) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("name", "with_token", "code"),
    [
        (OPERATOR, False, grpc.StatusCode.OK),
        ("another.test.svc", True, grpc.StatusCode.OK),
        ("another.test.svc", False, grpc.StatusCode.UNAUTHENTICATED),
    ],
)
async def test_either_the_name_or_the_token_does(
    by_either: Secured, name: str, with_token: bool, code: grpc.StatusCode
) -> None:
    async with by_either.connect(name, token=by_either.token if with_token else None) as channel:
        assert await code_of(channel) is code


async def test_streams_are_asked_too(by_name: Secured) -> None:
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    async with by_name.connect("another.test.svc") as channel:
        streams = [
            health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=10),
            reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
                iter([question]), timeout=10
            ),
        ]
        codes = [await stream.code() for stream in streams]

    assert codes == [grpc.StatusCode.UNAUTHENTICATED] * 2


async def test_streams_of_an_allowed_client_answer(by_name: Secured) -> None:
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    async with by_name.connect(OPERATOR) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=10)
        listing = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([question]), timeout=10
        )
        status = (await watch.read()).status
        listed = (await listing.read()).list_services_response.service
        watch.cancel()

    assert status == health_pb2.HealthCheckResponse.SERVING
    assert [service.name for service in listed] == [reflection.SERVICE_NAME]


async def test_a_refusal_says_why_as_error_info_and_is_the_platform_s_doing(by_token: Secured) -> None:
    async with by_token.connect() as channel:
        with pytest.raises(WorkerLost) as caught:
            await client.get_worker(channel)

    call: Any = caught.value.__cause__
    status = rpc_status.from_call(call)
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    assert (status.code, info.domain, info.reason, dict(info.metadata)) == (
        code_pb2.UNAUTHENTICATED,
        "splatworks.dev",
        Reason.WORKER_LOST,
        {"why": "no_credentials"},
    )


async def test_refusals_are_handled_calls_to_the_metrics(by_token: Secured) -> None:
    async with by_token.connect() as channel:
        await code_of(channel)

    labels = {
        "grpc_type": "unary",
        "grpc_service": "splatworks.v1.WorkerService",
        "grpc_method": "GetWorker",
        "grpc_code": "UNAUTHENTICATED",
    }
    assert by_token.metrics.get_sample_value("grpc_server_handled_total", labels) == 1


def served_serial(server: Secured) -> int:
    """The serial number of the certificate that a new handshake gets."""
    host, _, port = server.address.rpartition(":")
    return x509.load_pem_x509_certificate(
        ssl.get_server_certificate((host, int(port)), timeout=10).encode()
    ).serial_number


async def test_a_replaced_certificate_is_served_without_a_restart(by_token: Secured) -> None:
    before = await asyncio.to_thread(served_serial, by_token)
    by_token.authority.issue("worker", [WORKER])
    after = await asyncio.to_thread(served_serial, by_token)

    assert before != after


async def test_a_broken_replacement_is_not_served(by_token: Secured) -> None:
    before = await asyncio.to_thread(served_serial, by_token)
    by_token.files.key.write_text("-----BEGIN PRIVATE KEY-----")

    assert await asyncio.to_thread(served_serial, by_token) == before


async def test_the_pool_follows_certificates_of_a_new_authority(by_name: Secured, tmp_path: Path) -> None:
    tls = by_name.tls(OPERATOR)
    channels = Channels(tls)
    old = channels.get(by_name.address, WORKER)
    assert await code_of(old) is grpc.StatusCode.OK

    renewed = Authority(tmp_path / "renewed")
    worker, operator = renewed.issue("worker", [WORKER]), renewed.issue("client", [OPERATOR])
    assert tls.cert is not None
    assert tls.key is not None
    for source, target in (
        (worker.cert, by_name.files.cert),
        (worker.key, by_name.files.key),
        (renewed.file, by_name.authority.file),
        (operator.cert, tls.cert),
        (operator.key, tls.key),
    ):
        target.write_bytes(source.read_bytes())

    new = channels.get(by_name.address, WORKER)
    assert new is not old
    assert await code_of(new) is grpc.StatusCode.OK
    await channels.close()
