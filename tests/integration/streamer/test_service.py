"""The streamer as a real process: published over gRPC into a real store, read over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import numpy as np
import pytest

from splatworks.v1 import streamer_pb2, streamer_pb2_grpc
from splatworks_common import reasons
from splatworks_common.artifacts.manifest import Manifest
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.grpc_errors import from_call
from splatworks_common.operations.channels import connect
from splatworks_common.operations.client import StageClient
from tests.unit.streamer.training_output import camera_at, splats_at, write_compressed, write_training

CONTENT = b"0123456789" * 1000


@pytest.fixture(scope="module")
def addresses(
    object_store: StoreSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The addresses of a running streamer."""
    folder = tmp_path_factory.mktemp("streamer")
    ready = folder / "ready.json"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "splatworks_streamer.server", "--ready-file", str(ready)],
            env={
                **object_store.environment(),
                "SPLATWORKS_SCRATCH": str(folder / "scratch"),
                "SPLATWORKS_HTTP_HOST": "splats.example.com *.scenes.example.com",
            },
            stderr=log,
        )
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, "not ready within 60 s"
        time.sleep(0.02)
    yield json.loads(ready.read_text())
    process.terminate()
    process.wait(15)


@pytest.fixture(scope="module")
def artifacts(object_store: StoreSettings, tmp_path_factory: pytest.TempPathFactory) -> S3Uri:
    """The trainer's and the compressor's finished output for a tiny scene."""
    folder = tmp_path_factory.mktemp("artifacts")
    write_training(
        folder / "gaussian", [camera_at("a.jpg", (0, 0, 0))], splats_at(np.array([[0.0, 0.0, 4.0]]))
    )
    write_compressed(folder / "compressed", content=CONTENT)
    with ArtifactStore(object_store) as store:
        root = store.uri("tests/streamer-service")
        for stage in ("gaussian", "compressed"):
            files = store.upload_directory(folder / stage, root / stage)
            manifest = Manifest(
                stage=stage,
                stage_version="1",
                input_digest="0" * 64,
                files=files,
                created=datetime.now(UTC),
                seconds=1.0,
            )
            store.commit(manifest, root / stage)
    return root


async def publish(addresses: dict[str, str], artifacts: S3Uri, slug: str, attempt: int = 1) -> Any:
    async with connect(addresses["grpc"]) as channel:
        rpc = streamer_pb2_grpc.StreamerServiceStub(channel).PublishScene
        client = StageClient(rpc, streamer_pb2.PublishSceneResponse, channel)
        request = streamer_pb2.PublishSceneRequest(
            request_id=f"{slug}.publish.{attempt}",
            output_uri=str(artifacts / f"published-{slug}-{attempt}"),
            compressed_uri=str(artifacts / "compressed"),
            gaussian_uri=str(artifacts / "gaussian"),
            slug=slug,
            title=f"The {slug}",
        )
        state = await client.wait((await client.start(request)).name, 60)
        assert state.response is not None, state.error
        return state.response


def get(addresses: dict[str, str], path: str, **headers: str) -> tuple[int, bytes, Any]:
    request = urllib.request.Request(f"http://{addresses['http']}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


async def test_a_published_scene_is_described_by_get_scene(addresses, artifacts):
    published = await publish(addresses, artifacts, "described")
    async with connect(addresses["grpc"]) as channel:
        stub = streamer_pb2_grpc.StreamerServiceStub(channel)
        scene = (await stub.GetScene(streamer_pb2.GetSceneRequest(slug="described"))).scene
    assert scene == published.scene
    assert (scene.title, scene.path, scene.gaussians) == ("The described", "/s/described/", 5)


async def test_a_published_scene_is_served_with_ranges_from_the_store(addresses, artifacts):
    await publish(addresses, artifacts, "served")
    status, body, headers = get(addresses, "/s/served/scene.sog", Range="bytes=5-14")
    assert (status, body) == (206, b"5678901234")
    assert headers["Content-Range"] == f"bytes 5-14/{len(CONTENT)}"


async def test_an_unchanged_file_is_not_sent_again(addresses, artifacts):
    await publish(addresses, artifacts, "cached")
    _, _, headers = get(addresses, "/s/cached/scene.sog")
    status, body, _ = get(addresses, "/s/cached/scene.sog", **{"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")


async def test_a_scene_that_was_unpublished_is_gone_and_its_artifacts_stay(
    addresses, artifacts, object_store
):
    await publish(addresses, artifacts, "passing")
    async with connect(addresses["grpc"]) as channel:
        stub = streamer_pb2_grpc.StreamerServiceStub(channel)
        await stub.UnpublishScene(streamer_pb2.UnpublishSceneRequest(slug="passing"))
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.GetScene(streamer_pb2.GetSceneRequest(slug="passing"))
    assert isinstance(from_call(refusal.value), reasons.InputNotFound)
    assert get(addresses, "/s/passing/")[0] == 404
    with ArtifactStore(object_store) as store:
        assert store.read_manifest(artifacts / "compressed") is not None


@pytest.mark.parametrize(
    "host", ["splats.example.com", "a.scenes.example.com", "localhost", "127.0.0.1:8080"]
)
def test_the_names_of_an_ingress_and_of_this_machine_are_answered(addresses, artifacts, host):
    assert get(addresses, "/", Host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "splats.example.com.evil.example", "10.0.0.7:8080"])
def test_another_host_name_is_not_answered(addresses, artifacts, host):
    assert get(addresses, "/", Host=host)[0] == 400


async def test_scenes_are_listed_page_by_page(addresses, artifacts):
    slugs = ["listed-1", "listed-2", "listed-3"]
    for slug in slugs:
        await publish(addresses, artifacts, slug)
    seen, token = [], ""
    async with connect(addresses["grpc"]) as channel:
        stub = streamer_pb2_grpc.StreamerServiceStub(channel)
        while True:
            request = streamer_pb2.ListScenesRequest(page_size=2, page_token=token)
            page = await stub.ListScenes(request)
            seen += [scene.slug for scene in page.scenes]
            token = page.next_page_token
            if not token:
                break
    assert [slug for slug in seen if slug.startswith("listed-")] == slugs


async def test_publishing_a_slug_again_replaces_the_scene(addresses, artifacts):
    await publish(addresses, artifacts, "twice")
    await publish(addresses, artifacts, "twice", attempt=2)
    async with connect(addresses["grpc"]) as channel:
        stub = streamer_pb2_grpc.StreamerServiceStub(channel)
        page = await stub.ListScenes(streamer_pb2.ListScenesRequest())
    assert [scene.slug for scene in page.scenes].count("twice") == 1


@pytest.mark.parametrize("slug", ["", "Not A Slug", "../escape"])
async def test_a_bad_slug_is_a_field_violation(addresses, artifacts, slug):
    async with connect(addresses["grpc"]) as channel:
        stub = streamer_pb2_grpc.StreamerServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.GetScene(streamer_pb2.GetSceneRequest(slug=slug))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert str(from_call(refusal.value)).startswith("slug")
