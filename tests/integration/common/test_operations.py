"""Operations over real gRPC on loopback, with real child processes and a real object store."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from splatworks.v1 import common_pb2, sfm_pb2, sfm_pb2_grpc
from splatworks_common import reasons
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.grpc_errors import ErrorInterceptor
from splatworks_common.operations.channels import connect
from splatworks_common.operations.child import Job
from splatworks_common.operations.client import OperationState, StageClient
from splatworks_common.operations.registry import Operation, OperationRegistry
from splatworks_common.operations.servicer import OperationsServicer, StageStarter
from splatworks_common.reasons import Reason
from tests.integration.common.toy_stage import STAGE

REPOSITORY = Path(__file__).resolve().parents[3]
TOY = "tests.integration.common.toy_stage:STAGE"
Toy = OperationState[sfm_pb2.ReconstructResponse]


class _Servicer(sfm_pb2_grpc.SfmServiceServicer):
    def __init__(self, start: StageStarter) -> None:
        self._start = start

    async def Reconstruct(self, request, context):  # noqa: N802
        return self._start(request)


@dataclass
class Worker:
    registry: OperationRegistry
    client: StageClient[sfm_pb2.ReconstructResponse]
    channel: grpc.aio.Channel
    events: list[str]
    scratch: Path
    prefix: str

    def request(self, behaviour: str, request_id: str = "job.toy.1", **fields) -> sfm_pb2.ReconstructRequest:
        return sfm_pb2.ReconstructRequest(
            request_id=request_id,
            photos_uri=f"{self.prefix}/photos",
            output_uri=f"{self.prefix}/{request_id}/{behaviour}",
            **fields,
        )

    async def run(self, request: sfm_pb2.ReconstructRequest) -> Toy:
        state = await self.client.start(request)
        return await self.client.wait(state.name, 60)

    async def hanging(self, request: sfm_pb2.ReconstructRequest) -> Toy:
        """The operation of a request that hangs, once its processes are there."""
        name = (await self.client.start(request)).name

        async def progressing() -> Toy | None:
            state = await self.client.get(name)
            return state if "grandchild" in state.progress.metrics else None

        state: Toy = await eventually(progressing)
        return state


def status_of(error: reasons.StageError) -> status_pb2.Status:
    """The rich status of the call that an error of the client came from."""
    call: Any = error.__cause__
    status: status_pb2.Status | None = rpc_status.from_call(call)
    assert status is not None
    return status


async def eventually(look, seconds: float = 30.0):
    async with asyncio.timeout(seconds):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.02)


@pytest.fixture
def serve(
    bucket: StoreSettings, tmp_path: Path
) -> Callable[..., contextlib.AbstractAsyncContextManager[Worker]]:
    @contextlib.asynccontextmanager
    async def run(
        capacity: int = 2, ttl_seconds: float = 600.0, memory_limit_bytes: int | None = None
    ) -> AsyncIterator[Worker]:
        with ArtifactStore(bucket) as store:
            prefix = str(store.uri("toy"))
            store.put_bytes(store.uri("toy/photos/a.jpg"), b"a")
            store.put_bytes(store.uri("toy/photos/b.jpg"), b"b")
        events: list[str] = []

        def observe(operation: Operation) -> None:
            events.append("ended" if operation.done else "started")

        scratch = tmp_path / "scratch"
        registry = OperationRegistry(
            capacity=capacity, scratch=scratch, ttl_seconds=ttl_seconds, observer=observe
        )
        environment = {**bucket.environment(), "PYTHONPATH": str(REPOSITORY)}
        start = StageStarter(
            registry, STAGE, TOY, environment=environment, threads=1, memory_limit_bytes=memory_limit_bytes
        )
        server = grpc.aio.server(interceptors=[ErrorInterceptor()])
        sfm_pb2_grpc.add_SfmServiceServicer_to_server(_Servicer(start), server)
        operations_pb2_grpc.add_OperationsServicer_to_server(OperationsServicer(registry), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with connect(f"127.0.0.1:{port}") as channel:
                rpc = sfm_pb2_grpc.SfmServiceStub(channel).Reconstruct
                client = StageClient(rpc, sfm_pb2.ReconstructResponse, channel)
                yield Worker(registry, client, channel, events, scratch, prefix)
        finally:
            await registry.drain(0)
            await server.stop(0)

    return run


async def test_a_finished_operation_has_the_typed_response_and_its_artifacts(serve):
    async with serve() as worker:
        state = await worker.run(worker.request("succeed"))
    assert state.response is not None
    assert state.response.total_images == 2
    assert [artifact.path for artifact in state.response.result.artifacts] == ["names.txt"]


async def test_progress_ends_at_a_hundred_percent(serve):
    async with serve() as worker:
        state = await worker.run(worker.request("succeed"))
    assert state.progress.percent == pytest.approx(100)
    assert state.progress.stage == "toy"
    assert state.progress.HasField("end_time")


async def test_the_manifest_seals_the_output(serve, bucket):
    async with serve() as worker:
        state = await worker.run(worker.request("succeed"))
    with ArtifactStore(bucket) as store:
        manifest = store.read_manifest(store.uri("toy/job.toy.1/succeed"))
    assert manifest is not None
    assert manifest.input_digest == state.response.result.input_digest


async def test_the_same_work_elsewhere_is_reused_from_the_cache(serve):
    async with serve() as worker:
        first = await worker.run(worker.request("succeed", "one.toy.1"))
        second = await worker.run(worker.request("succeed", "two.toy.1"))
    assert (first.response.result.cached, second.response.result.cached) == (False, True)
    assert second.response.result.artifacts[0].sha256 == first.response.result.artifacts[0].sha256


async def test_cache_policy_never_does_the_work_again(serve):
    never = common_pb2.CACHE_POLICY_NEVER
    async with serve() as worker:
        await worker.run(worker.request("succeed", "one.toy.1"))
        second = await worker.run(worker.request("succeed", "two.toy.1", cache_policy=never))
    assert not second.response.result.cached


async def test_other_parameters_do_not_hit_the_cache(serve):
    async with serve() as worker:
        await worker.run(worker.request("succeed", "one.toy.1"))
        options = sfm_pb2.SfmOptions(seed=7)
        second = await worker.run(worker.request("succeed", "two.toy.1", options=options))
    assert not second.response.result.cached


async def test_the_same_request_id_returns_the_same_operation_and_runs_once(serve):
    async with serve() as worker:
        await asyncio.gather(*(worker.client.start(worker.request("succeed")) for _ in range(8)))
        await worker.run(worker.request("succeed"))
        assert worker.events == ["started", "ended"]


async def test_a_request_id_can_not_stand_for_another_request(serve):
    async with serve() as worker:
        await worker.run(worker.request("succeed"))
        with pytest.raises(reasons.InputInvalid, match="used for another request"):
            await worker.client.start(worker.request("refuse"))


async def test_a_request_id_is_not_run_again_after_its_operation_was_deleted(serve):
    async with serve() as worker:
        state = await worker.run(worker.request("succeed"))
        operations = operations_pb2_grpc.OperationsStub(worker.channel)
        await operations.DeleteOperation(operations_pb2.DeleteOperationRequest(name=state.name))
        with pytest.raises(reasons.WorkerLost, match="used before"):
            await worker.client.start(worker.request("succeed"))
        assert worker.events == ["started", "ended"]


async def test_an_expired_operation_is_unknown_and_its_request_id_is_not_run_again(serve):
    async with serve(ttl_seconds=600.0) as worker:
        state = await worker.run(worker.request("succeed"))
        worker.registry.get(state.name).ended -= 601.0
        with pytest.raises(reasons.WorkerLost, match="expired") as unknown:
            await worker.client.get(state.name)
        with pytest.raises(reasons.WorkerLost, match="used before") as refused:
            await worker.client.start(worker.request("succeed"))
        assert worker.events == ["started", "ended"]
    codes = [status_of(caught.value).code for caught in (unknown, refused)]
    assert codes == [code_pb2.NOT_FOUND, code_pb2.ALREADY_EXISTS]


async def test_a_request_with_renewed_keys_is_the_same_request(serve):
    def request(worker: Worker, key: str) -> sfm_pb2.ReconstructRequest:
        keys = sfm_pb2.SourceCredentials(access_key=key, secret_key=key)
        return worker.request("hang", photos_credentials=keys)

    async with serve() as worker:
        first = await worker.client.start(request(worker, "old"))
        second = await worker.client.start(request(worker, "new"))
    assert first.name == second.name


async def test_the_reason_a_stage_raises_reaches_the_client(serve):
    async with serve() as worker:
        state = await worker.run(worker.request("refuse"))
    assert isinstance(state.error, reasons.TooFewImages)
    assert str(state.error) == "Only 2 photos are usable."


async def test_an_exception_in_the_work_is_internal_with_its_last_words(serve):
    async with serve() as worker:
        state = await worker.run(worker.request("raise"))
    assert state.error.reason is Reason.INTERNAL
    assert "an unexpected thing happened" in str(state.error)


async def test_a_crash_is_internal_and_names_the_signal(serve):
    async with serve() as worker:
        state = await worker.run(worker.request("segfault"))
    assert state.error.reason is Reason.INTERNAL
    assert "SIGSEGV" in str(state.error)
    assert "about to crash" in str(state.error)


async def test_a_killed_child_is_internal_and_the_server_lives_on(serve):
    async with serve() as worker:
        state = await worker.hanging(worker.request("hang"))
        os.kill(int(state.progress.metrics["pid"]), signal.SIGKILL)
        state = await worker.client.wait(state.name, 30)
        after = await worker.run(worker.request("succeed", "job.toy.2"))
    assert state.error.reason is Reason.INTERNAL
    assert "SIGKILL" in str(state.error)
    assert after.response is not None


async def test_work_beyond_the_memory_limit_is_out_of_memory(serve):
    async with serve(memory_limit_bytes=1 << 30) as worker:
        state = await worker.run(worker.request("allocate"))
    assert state.error.reason is Reason.OUT_OF_MEMORY


async def test_cancel_ends_the_whole_process_tree_before_it_answers(serve):
    async with serve() as worker:
        state = await worker.hanging(worker.request("hang"))
        pids = [int(state.progress.metrics[name]) for name in ("pid", "grandchild")]
        await worker.client.cancel(state.name)
        assert not [pid for pid in pids if _lives(pid)]
        state = await worker.client.get(state.name)
    assert state.error.reason is Reason.CANCELLED


async def test_a_cancel_before_the_work_has_begun_frees_the_slot(serve):
    async with serve(capacity=1) as worker:
        job = Job(stage=TOY, request=b"", scratch=Path(), threads=1)
        operation = worker.registry.start("toy", {"first": 1.0}, "early.toy.1", job, None, identity=b"")
        await worker.registry.cancel(operation.name)
        assert worker.registry.running == 0
        state = await worker.client.get(operation.name)
    assert state.error.reason is Reason.CANCELLED


async def test_an_operation_ends_at_its_timeout(serve):
    async with serve() as worker:
        state = await worker.run(worker.request("hang", timeout=Duration(seconds=2)))
    assert state.error.reason is Reason.DEADLINE_EXCEEDED


async def test_nothing_is_left_of_an_operation_s_files(serve):
    async with serve() as worker:
        await worker.run(worker.request("succeed"))
        assert list(worker.scratch.iterdir()) == []


async def test_beyond_capacity_a_request_is_refused_with_no_free_slot_and_retry_info(serve):
    async with serve(capacity=1) as worker:
        await worker.hanging(worker.request("hang"))
        with pytest.raises(reasons.NoFreeSlot) as refusal:
            await worker.client.start(worker.request("succeed", "job.toy.2"))
        status = status_of(refusal.value)
    assert any(detail.Unpack(error_details_pb2.RetryInfo()) for detail in status.details)


async def test_a_bad_field_is_invalid_argument_with_a_field_violation(serve):
    async with serve() as worker:
        with pytest.raises(reasons.InputInvalid) as refusal:
            await worker.client.start(worker.request("succeed", options=sfm_pb2.SfmOptions(seed=-1)))
        status = status_of(refusal.value)
    assert status.code == code_pb2.INVALID_ARGUMENT
    violations = error_details_pb2.BadRequest()
    assert any(detail.Unpack(violations) for detail in status.details)
    assert violations.field_violations[0].field == "options.seed"


@pytest.mark.parametrize("request_id", ["", "../escape", "with space", "a" * 200])
async def test_a_malformed_request_id_is_refused(serve, request_id):
    async with serve() as worker:
        request = worker.request("succeed")
        request.request_id = request_id
        with pytest.raises(reasons.InputInvalid, match="request_id"):
            await worker.client.start(request)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"timeout": Duration(seconds=10**11)}, "timeout"),
        ({"timeout": Duration(seconds=-1)}, "timeout"),
        ({"cache_policy": 99}, "cache_policy"),
        ({"output_uri": "https://elsewhere/"}, "output_uri"),
        ({"photos_uri": "s3://"}, "photos_uri"),
    ],
)
async def test_every_malformed_field_is_named(serve, fields, field):
    async with serve() as worker:
        request = worker.request("succeed")
        request.MergeFrom(sfm_pb2.ReconstructRequest(**fields))
        with pytest.raises(reasons.InputInvalid, match=f"^{field}"):
            await worker.client.start(request)


async def test_a_page_token_that_was_never_given_is_refused(serve):
    async with serve() as worker:
        operations = operations_pb2_grpc.OperationsStub(worker.channel)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await operations.ListOperations(operations_pb2.ListOperationsRequest(page_token="nonsense"))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_what_the_work_prints_is_logged_with_its_request_id(serve, caplog):
    caplog.set_level("INFO", logger="splatworks_common.operations.registry")
    async with serve() as worker:
        await worker.run(worker.request("segfault"))
    line = next(record for record in caplog.records if record.getMessage() == "about to crash")
    assert (vars(line)["request_id"], vars(line)["stage"]) == ("job.toy.1", "toy")


async def test_missing_input_is_input_not_found(serve):
    async with serve() as worker:
        request = worker.request("succeed")
        request.photos_uri = f"{worker.prefix}/nowhere"
        state = await worker.run(request)
    assert isinstance(state.error, reasons.InputNotFound)


async def test_an_output_that_holds_another_result_is_not_overwritten(serve):
    async with serve() as worker:
        first = worker.request("succeed", "one.toy.1")
        await worker.run(first)
        other = worker.request("succeed", "two.toy.1", options=sfm_pb2.SfmOptions(seed=5))
        other.output_uri = first.output_uri
        state = await worker.run(other)
    assert isinstance(state.error, reasons.InputInvalid)


async def test_an_unknown_operation_is_worker_lost_to_the_client(serve):
    async with serve() as worker:
        with pytest.raises(reasons.WorkerLost, match="no operation"):
            await worker.client.get("operations/nobody")


async def test_a_finished_operation_expires(serve):
    async with serve(ttl_seconds=0.0) as worker:
        name = (await worker.client.start(worker.request("succeed"))).name

        async def gone() -> bool:
            try:
                await worker.client.get(name)
            except reasons.WorkerLost:
                return True
            return False

        assert await eventually(gone)


async def test_listing_pages_through_every_operation_newest_first(serve):
    async with serve() as worker:
        for number in range(5):
            await worker.run(worker.request("succeed", f"job.toy.{number}"))
        operations = operations_pb2_grpc.OperationsStub(worker.channel)
        names, token = [], ""
        while True:
            request = operations_pb2.ListOperationsRequest(page_size=2, page_token=token)
            page = await operations.ListOperations(request)
            names += [operation.name for operation in page.operations]
            token = page.next_page_token
            if not token:
                break
    assert names == [f"operations/job.toy.{number}" for number in (4, 3, 2, 1, 0)]


async def test_draining_refuses_new_work_and_preempts_what_does_not_finish(serve):
    async with serve() as worker:
        state = await worker.hanging(worker.request("hang"))
        await worker.registry.drain(0.2)
        state = await worker.client.get(state.name)
        with pytest.raises(reasons.Preempted):
            await worker.client.start(worker.request("succeed", "job.toy.2"))
    assert state.error.reason is Reason.PREEMPTED


async def test_draining_ends_work_as_soon_as_its_state_is_kept_and_another_worker_goes_on(serve):
    async with serve() as worker:
        request = worker.request("keep")
        name = (await worker.client.start(request)).name
        await worker.registry.drain(60)  # at once: the work's process may not even have begun
        stopped = await worker.client.get(name)
    async with serve() as worker:
        finished = await worker.run(request)
    assert stopped.error.reason is Reason.PREEMPTED
    assert finished.response is not None


async def test_draining_lets_running_work_finish(serve):
    async with serve() as worker:
        name = (await worker.client.start(worker.request("succeed"))).name
        await worker.registry.drain(60)
        state = await worker.client.get(name)
    assert state.response is not None


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
