from __future__ import annotations

import asyncio
import threading

import httpx2
import pytest
from starlette.testclient import TestClient

from splatworks_common.artifacts.uri import S3Uri
from splatworks_streamer.scenes import SceneRegistry
from splatworks_streamer.web.app import create_app
from splatworks_streamer.web.scene_files import SceneFiles
from splatworks_streamer.web.static import StaticFiles
from tests.unit.streamer.memory_store import ROOT, MemoryStore, Stream
from tests.unit.streamer.published_scene import CONTENT, SETTINGS, THUMBNAIL, put_scene

IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
def scene_path(store: MemoryStore, registry: SceneRegistry) -> str:
    """The path of ``scene.sog`` of a published scene."""
    put_scene(store)
    return SceneFiles(registry).find("fox").path("scene.sog")


def test_a_file_is_sent_whole_and_may_be_kept_for_ever(client: TestClient, scene_path: str) -> None:
    response = client.get(scene_path)

    assert (response.status_code, response.content) == (200, CONTENT)
    assert response.headers["Cache-Control"] == IMMUTABLE
    assert response.headers["Content-Length"] == str(len(CONTENT))
    assert response.headers["Accept-Ranges"] == "bytes"


def test_the_current_file_has_the_same_content_but_is_asked_for_again(
    client: TestClient, scene_path: str
) -> None:
    response = client.get("/s/fox/scene.sog")

    assert response.content == CONTENT
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["ETag"] == client.head(scene_path).headers["ETag"]


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("settings.json", SETTINGS, "application/json"),
        ("thumbnail.webp", THUMBNAIL, "image/webp"),
        ("meta.json", b"{}", "application/json"),
        ("empty.webp", b"", "image/webp"),
    ],
)
def test_every_file_of_both_artifacts_is_served(
    client: TestClient, scene_path: str, name: str, content: bytes, media_type: str
) -> None:
    response = client.get(scene_path.replace("scene.sog", name))

    assert (response.status_code, response.content) == (200, content)
    assert response.headers["Content-Type"] == media_type


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=0-9", slice(0, 10)), ("bytes=5000-", slice(5000, None)), ("bytes=-7", slice(-7, None))],
)
def test_a_range_is_sent_alone(client: TestClient, scene_path: str, asked: str, part: slice) -> None:
    response = client.get(scene_path, headers={"Range": asked})

    start, stop, _ = part.indices(len(CONTENT))
    assert (response.status_code, response.content) == (206, CONTENT[part])
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    assert response.headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=99999-", "bytes=0-1,5-6"])
def test_a_range_that_can_not_be_served_is_refused(client: TestClient, scene_path: str, asked: str) -> None:
    response = client.get(scene_path, headers={"Range": asked})

    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


def test_a_range_of_other_content_than_the_clients_is_the_whole_file(
    client: TestClient, scene_path: str
) -> None:
    response = client.get(scene_path, headers={"Range": "bytes=0-9", "If-Range": '"old"'})

    assert (response.status_code, response.content) == (200, CONTENT)


def test_a_file_the_client_has_is_not_read_from_the_store(
    client: TestClient, store: MemoryStore, scene_path: str
) -> None:
    tag = client.head(scene_path).headers["ETag"]

    response = client.get(scene_path, headers={"If-None-Match": tag, "Range": "bytes=0-9"})

    assert (response.status_code, response.content) == (304, b"")
    assert (response.headers["ETag"], response.headers["Cache-Control"]) == (tag, IMMUTABLE)
    assert store.streams == []


def test_head_tells_the_size_without_reading_the_store(
    client: TestClient, store: MemoryStore, scene_path: str
) -> None:
    response = client.head(scene_path)

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == str(len(CONTENT))
    assert store.streams == []


def test_streams_of_the_store_are_closed(client: TestClient, store: MemoryStore, scene_path: str) -> None:
    client.get(scene_path)
    client.get(scene_path, headers={"Range": "bytes=-7"})

    assert [stream.closed for stream in store.streams] == [True, True]


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "nothing.webp",
        "../../../../etc/passwd",
        "%2e%2e/%2e%2e/scenes/fox/scene.json",
        "..%2f..%2fscenes%2ffox%2fscene.json",
        "",
        "scene.sog/",
        "scene.sog%00",
    ],
)
def test_only_files_that_a_manifest_names_are_served(client: TestClient, scene_path: str, name: str) -> None:
    assert client.get(scene_path.replace("scene.sog", name)).status_code == 404
    assert client.get(f"/s/fox/{name}" if name else "/s/fox//").status_code == 404


def test_another_version_of_a_scene_is_not_served(client: TestClient, scene_path: str) -> None:
    assert client.get("/s/fox/000000000000/scene.sog").status_code == 404


def test_new_content_has_a_new_path(store: MemoryStore, registry: SceneRegistry, scene_path: str) -> None:
    put_scene(store, content=b"new")

    assert SceneFiles(registry).find("fox").path("scene.sog") != scene_path


@pytest.mark.parametrize(
    "path", ["/s/none/", "/s/none/scene.sog", "/s/UPPER/", "/s/a.b/", "/s/%2e%2e/", "/nothing"]
)
def test_what_is_not_there_is_a_friendly_404(client: TestClient, scene_path: str, path: str) -> None:
    response = client.get(path, headers={"Accept": "text/html,*/*"})

    assert response.status_code == 404
    assert "There is nothing here" in response.text


def test_a_missing_file_is_one_line_for_what_is_no_browser_window(client: TestClient) -> None:
    assert client.get("/s/none/scene.sog").text == "Not Found\n"


def test_a_scene_whose_artifacts_are_gone_is_a_404(client: TestClient, store: MemoryStore) -> None:
    scene = put_scene(store)
    store.delete_prefix(scene.compressed_uri)

    assert client.get("/s/fox/").status_code == 404


def test_a_scene_whose_artifacts_were_replaced_is_not_served(client: TestClient, store: MemoryStore) -> None:
    scene = put_scene(store)
    store.put_artifact(scene.compressed_uri, {"scene.sog": b"another"})

    assert client.get("/s/fox/").status_code == 503


@pytest.mark.parametrize("path", ["/", "/s/fox/", "/s/fox/scene.sog"])
def test_a_store_that_is_gone_is_a_503_that_says_when_to_come_back(
    client: TestClient, store: MemoryStore, scene_path: str, path: str
) -> None:
    store.down = True

    response = client.get(path, headers={"Accept": "text/html"})

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "Back in a moment" in response.text


def test_health_does_not_depend_on_the_store(client: TestClient, store: MemoryStore) -> None:
    store.down = True

    assert client.get("/healthz").text == "ok\n"


def test_only_reading_is_allowed(client: TestClient, scene_path: str) -> None:
    response = client.post(scene_path)

    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


async def test_a_slow_store_does_not_hold_up_other_requests(store: MemoryStore, static: StaticFiles) -> None:
    put_scene(store)
    release = threading.Event()
    slow = _SlowStore(store.objects, release)
    transport = httpx2.ASGITransport(create_app(SceneRegistry(slow, ROOT), static=static))

    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        waiting = asyncio.create_task(client.get("/s/fox/scene.sog"))
        await asyncio.to_thread(slow.opened.wait, 10)
        health = await client.get("/healthz")
        finished_early = waiting.done()
        release.set()
        response = await waiting

    assert health.status_code == 200
    assert not finished_early
    assert response.content == CONTENT


class _SlowStore(MemoryStore):
    """Opens no object before it is released."""

    def __init__(self, objects: dict[S3Uri, bytes], release: threading.Event) -> None:
        super().__init__(objects)
        self.opened = threading.Event()
        self._release = release

    def open_range(self, uri: S3Uri, start: int, length: int) -> Stream:
        self.opened.set()
        assert self._release.wait(10)
        return super().open_range(uri, start, length)
