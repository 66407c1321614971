"""The operator and a real worker process that lets nobody else in: mutual TLS, or TLS with a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from splatworks.v1 import sfm_pb2
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import Reason
from splatworks_operator.kube.config import TlsFiles, WorkersConfig
from splatworks_operator.kube.workers import Unreachable, WorkerCalls
from splatworks_operator.status import StageName, WorkerRef
from tests.certificates import Authority
from tests.integration.common.test_server import TOY, Running

WORKER, OPERATOR = "splatworks-sfm.splatworks.svc", "splatworks-operator.splatworks.svc"


@dataclass
class Secured:
    """A worker, and the authority that made its certificate."""

    running: Running
    authority: Authority

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.running.addresses['grpc'].rpartition(':')[2]}"

    def tls(self, name: str) -> TlsFiles:
        """A client's files."""
        files = self.authority.issue(name.partition(".")[0], [name])
        return TlsFiles(ca=self.authority.file, cert=files.cert, key=files.key)


def _secured(store: StoreSettings, folder: Path, name: str, *flags: str) -> Secured:
    authority = Authority(folder / "pki")
    files = authority.issue("worker", [name])
    served = "--tls-cert", str(files.cert), "--tls-key", str(files.key)
    running = Running(
        store, folder, "--listen", "0.0.0.0:0", "--health-listen", "127.0.0.1:0", *served, *flags, command=TOY
    )
    return Secured(running, authority)


@pytest.fixture
def mutual(object_store: StoreSettings, tmp_path: Path) -> Iterator[Secured]:
    """A worker that only the operator's certificate opens."""
    authority = str(tmp_path / "pki" / "ca.crt")
    flags = "--tls-client-ca", authority, "--allowed-san", OPERATOR
    secured = _secured(object_store, tmp_path, WORKER, *flags)
    yield secured
    secured.running.close()


@pytest.fixture
def with_token(object_store: StoreSettings, tmp_path: Path) -> Iterator[Secured]:
    """A worker that a token opens."""
    (tmp_path / "token").write_text("the-right-token-of-this-test")
    secured = _secured(object_store, tmp_path, WORKER, "--auth-token-file", str(tmp_path / "token"))
    yield secured
    secured.running.close()


@asynccontextmanager
async def _calls(tls: TlsFiles, token_file: Path | None = None) -> AsyncIterator[WorkerCalls]:
    calls = WorkerCalls(WorkersConfig(tls=tls, token_file=token_file))
    try:
        yield calls
    finally:
        await calls.close()


async def test_the_operators_certificate_opens_the_worker_and_starts_a_stage(mutual: Secured, prefix: S3Uri):
    async with _calls(mutual.tls(OPERATOR)) as calls:
        found = await calls.describe(StageName.SFM, mutual.address)
        worker = WorkerRef("sfm-0", mutual.address, found.instance)
        request = sfm_pb2.ReconstructRequest(
            request_id="identity.sfm.1", photos_uri=f"{prefix}/none", output_uri=f"{prefix}/colmap"
        )
        started = await calls.start(StageName.SFM, worker, request)
        ended = await calls.wait(StageName.SFM, worker, started.name, 60)
    assert ended.error is not None
    assert ended.error.reason is Reason.INPUT_NOT_FOUND


async def test_another_certificate_of_the_same_authority_does_not(mutual: Secured):
    async with _calls(mutual.tls("stranger.splatworks.svc")) as calls:
        with pytest.raises(Unreachable):
            await calls.describe(StageName.SFM, mutual.address)


async def test_a_worker_under_another_services_name_is_not_believed(mutual: Secured):
    async with _calls(mutual.tls(OPERATOR)) as calls:
        with pytest.raises(Unreachable):
            await calls.describe(StageName.TRAIN, mutual.address)


async def test_the_operator_goes_on_with_a_renewed_certificate(mutual: Secured):
    async with _calls(mutual.tls(OPERATOR)) as calls:
        before = await calls.describe(StageName.SFM, mutual.address)
        mutual.tls(OPERATOR)
        assert (await calls.describe(StageName.SFM, mutual.address)).instance == before.instance


async def test_the_token_opens_the_worker(with_token: Secured, tmp_path: Path):
    token = tmp_path / "operators-token"
    token.write_text("the-right-token-of-this-test\n")
    async with _calls(with_token.tls(OPERATOR), token) as calls:
        assert (await calls.describe(StageName.SFM, with_token.address)).instance


async def test_a_wrong_token_opens_nothing_and_is_not_repeated_in_the_error(
    with_token: Secured, tmp_path: Path
):
    token = tmp_path / "operators-token"
    token.write_text("a-wrong-token-of-this-test\n")
    async with _calls(with_token.tls(OPERATOR), token) as calls:
        with pytest.raises(Unreachable) as refused:
            await calls.describe(StageName.SFM, with_token.address)
    assert "a-wrong-token" not in str(refused.value)
