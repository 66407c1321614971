"""Photos that the service's own keys can not read, on a SeaweedFS that tells three people apart."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2_grpc

from splatworks.v1 import sfm_pb2, sfm_pb2_grpc
from splatworks_common import embedded_store
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.grpc_errors import ErrorInterceptor
from splatworks_common.operations.channels import connect
from splatworks_common.operations.client import OperationState, StageClient
from splatworks_common.operations.registry import OperationRegistry
from splatworks_common.operations.servicer import OperationsServicer, StageStarter
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_common.stages import Credentials, Input
from tests.integration.common.test_operations import REPOSITORY, TOY, _Servicer
from tests.integration.common.toy_stage import STAGE

PRIVATE = "private-photos"
WHO, SECRET = "the-photographer", "hers-alone-0123456789"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """The platform's settings: its keys read and write the platform's bucket, and nothing of ``PRIVATE``."""

    def write_credentials(path: Path, admin: StoreSettings) -> None:
        mine = [f"{verb}:{admin.bucket}" for verb in ("Read", "Write", "List", "Tagging")]
        hers = [f"{verb}:{PRIVATE}" for verb in ("Read", "List")]
        people = [
            ("admin", admin.access_key, admin.secret_key, ["Admin", "Read", "Write", "List"]),
            ("platform", "the-platform", "the-platform-s-secret", mine),
            ("photographer", WHO, SECRET, hers),
        ]
        identities = [
            {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
            for name, key, secret, actions in people
        ]
        path.write_text(json.dumps({"identities": identities}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded_store, "_write_credentials", write_credentials)
        with embedded_store.EmbeddedStore(tmp_path_factory.mktemp("store")) as running:
            with ArtifactStore(replace(running.settings, bucket=PRIVATE)) as store:
                store.ensure_bucket()
                store.put_bytes(store.uri("photos/a.jpg"), b"a")
                store.put_bytes(store.uri("photos/b.jpg"), b"b")
            yield replace(running.settings, access_key="the-platform", secret_key="the-platform-s-secret")


@dataclass
class Worker:
    client: StageClient[sfm_pb2.ReconstructResponse]
    registry: OperationRegistry
    output: S3Uri

    async def run(
        self, behaviour: str, keys: tuple[str, str] | None, request_id: str = "job.toy.1"
    ) -> OperationState[sfm_pb2.ReconstructResponse]:
        request = sfm_pb2.ReconstructRequest(
            request_id=request_id,
            photos_uri=f"s3://{PRIVATE}/photos",
            output_uri=f"{self.output}/{request_id}/{behaviour}",
        )
        if keys is not None:
            request.photos_credentials.access_key, request.photos_credentials.secret_key = keys
        state = await self.client.start(request)
        return await self.client.wait(state.name, 60)


@pytest.fixture
async def worker(settings: StoreSettings, tmp_path: Path) -> AsyncIterator[Worker]:
    registry = OperationRegistry(capacity=1, scratch=tmp_path / "scratch", ttl_seconds=600)
    environment = {**settings.environment(), "PYTHONPATH": str(REPOSITORY)}
    start = StageStarter(registry, STAGE, TOY, environment=environment, threads=1, memory_limit_bytes=None)
    server = grpc.aio.server(interceptors=[ErrorInterceptor()])
    sfm_pb2_grpc.add_SfmServiceServicer_to_server(_Servicer(start), server)
    operations_pb2_grpc.add_OperationsServicer_to_server(OperationsServicer(registry), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with connect(f"127.0.0.1:{port}") as channel:
        rpc: Any = sfm_pb2_grpc.SfmServiceStub(channel).Reconstruct
        client = StageClient(rpc, sfm_pb2.ReconstructResponse, channel)
        yield Worker(client, registry, S3Uri(settings.bucket, f"tests/{uuid.uuid4().hex}"))
    await registry.drain(0)
    await server.stop(0)


async def test_the_keys_of_the_request_read_the_photos_and_the_service_s_own_write(worker: Worker) -> None:
    state = await worker.run("succeed", (WHO, SECRET))

    assert state.response is not None
    assert state.response.total_images == 2


async def test_the_service_s_own_keys_do_not_read_them(worker: Worker) -> None:
    state = await worker.run("succeed", None)

    assert isinstance(state.error, (InputInvalid, InputNotFound))


async def test_keys_that_the_store_does_not_accept_are_the_request_s_fault(worker: Worker) -> None:
    states = [
        await worker.run("succeed", (WHO, "not-hers"), "one.toy.1"),
        await worker.run("succeed", ("nobody", SECRET), "two.toy.1"),
    ]

    for state in states:
        assert isinstance(state.error, InputInvalid)
        assert str(state.error) == (
            f"photos_credentials: the store does not accept them for s3://{PRIVATE}/photos; check both keys"
        )


@pytest.mark.parametrize("behaviour", ["succeed", "raise", "refuse", "segfault"])
async def test_the_keys_are_nowhere_to_be_seen(
    worker: Worker, settings: StoreSettings, behaviour: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    state = await worker.run(behaviour, (WHO, SECRET))
    operation = worker.registry.get(state.name)
    with ArtifactStore(settings) as store:
        entries = list(store.list_objects(S3Uri(settings.bucket, "")))
        stored = [entry.key for entry in entries]
        stored += [repr(store.get_bytes(S3Uri(settings.bucket, entry.key))) for entry in entries]
    seen = "\n".join([repr(state), repr(operation), repr(vars(operation)), caplog.text, *stored])

    assert state.done
    assert SECRET not in seen
    assert WHO not in seen


async def test_the_keys_are_no_part_of_the_digest(worker: Worker, settings: StoreSettings) -> None:
    with ArtifactStore(settings) as store:
        store.put_bytes(worker.output / "photos" / "a.jpg", b"a")
        store.put_bytes(worker.output / "photos" / "b.jpg", b"b")
    digests = []
    for request_id, keys in (("one.toy.1", (WHO, SECRET)), ("two.toy.1", None)):
        photos = f"s3://{PRIVATE}/photos" if keys else str(worker.output / "photos")
        request = sfm_pb2.ReconstructRequest(
            request_id=request_id, photos_uri=photos, output_uri=f"{worker.output}/{request_id}/succeed"
        )
        if keys:
            request.photos_credentials.access_key, request.photos_credentials.secret_key = keys
        state = await worker.client.wait((await worker.client.start(request)).name, 60)
        assert state.response is not None
        digests.append(state.response.result.input_digest)

    assert digests[0] == digests[1]


def test_keys_are_not_shown_when_an_input_is_printed() -> None:
    given = Input(S3Uri(PRIVATE, "photos"), credentials=Credentials(WHO, SECRET))

    assert WHO not in repr(given)
    assert SECRET not in repr(given)
