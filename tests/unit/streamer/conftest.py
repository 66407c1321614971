"""A store, its registry and a client of the application over them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from splatworks_streamer.scenes import SceneRegistry
from splatworks_streamer.web.app import create_app
from splatworks_streamer.web.static import StaticFile, StaticFiles
from tests.unit.streamer.memory_store import ROOT, MemoryStore

_ASSETS = ("icon.svg", "site.css", "scene.css", "scene.js", "viewer/index.css", "viewer/index.js")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore) -> SceneRegistry:
    return SceneRegistry(store, ROOT)


@pytest.fixture
def static() -> StaticFiles:
    """Static files with short contents, two of them also compressed."""
    files = {name: StaticFile("text/plain", {"identity": name.encode()}) for name in _ASSETS}
    files["viewer/index.js"] = StaticFile(
        "text/javascript; charset=utf-8", {"identity": b"let viewer", "gzip": b"gz", "br": b"br"}
    )
    return StaticFiles(files)


@pytest.fixture
def client(registry: SceneRegistry, static: StaticFiles) -> Iterator[TestClient]:
    """Follows no redirects and asks for no compression."""
    with TestClient(
        create_app(registry, static=static), follow_redirects=False, headers={"Accept-Encoding": "identity"}
    ) as running:
        yield running
