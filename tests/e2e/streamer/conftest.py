"""A published scene of a few blobs behind the real HTTP server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.types import ASGIApp

from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.cameras import Camera
from splatworks_common.progress import silent
from splatworks_streamer.publish import prepare
from splatworks_streamer.scenes import SceneRegistry
from splatworks_streamer.web.app import create_app
from splatworks_streamer.web.serving import serve
from tests.e2e.streamer.tiny_sog import write_blobs
from tests.unit.streamer.memory_store import ROOT, MemoryStore
from tests.unit.streamer.training_output import camera_at, splats_at, write_training

_RADIUS = 0.06
_BLOBS = {
    # Placed in the photographer's camera: right, down, ahead. Everything differs from its mirror image.
    (255, 0, 0): (-0.9, -0.8, 4.0),
    (0, 255, 0): (0.9, -0.7, 4.4),
    (0, 0, 255): (-0.7, 0.6, 3.6),
    (255, 255, 0): (1.0, 0.7, 4.8),
    (255, 255, 255): (0.1, -0.1, 4.0),
}


@dataclass(frozen=True)
class BlobScene:
    """A scene that is being served.

    Attributes:
        url: Its page.
        camera: The photographer's camera.
        blobs: Where blobs appear in that camera's photo (x, y in pixels), and in which colour.
    """

    url: str
    camera: Camera
    blobs: dict[tuple[float, float], tuple[int, int, int]]


def photographers_camera() -> Camera:
    """A camera somewhere in the world, turned aside, looking down a little, upright, not quite centred."""
    return camera_at("IMG_0001.jpg", (1.5, -0.7, 2.0), yaw=35, pitch=12, centre=(163.0, 118.0))


def world_positions(camera: Camera) -> NDArray[np.float64]:
    """The blobs' centres in the world, ``[N, 3]``."""
    local = np.array(list(_BLOBS.values()))
    return np.asarray((local - camera.viewmat[:3, 3]) @ camera.viewmat[:3, :3])


@pytest.fixture(scope="session")
def blob_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlobScene]:
    """A scene of blobs as large as coins."""
    with published(tmp_path_factory.mktemp("blobs"), _RADIUS) as scene:
        yield scene


@contextmanager
def published(folder: Path, radius: float, *, antialiased: bool = False) -> Iterator[BlobScene]:
    """A scene that went through ``prepare`` and the registry, on a loopback port.

    Args:
        folder: For its files; empty.
        radius: Of the blobs, a standard deviation in world units.
        antialiased: Whether they are to be drawn with Mip-Splatting's 2D filter.
    """
    camera = photographers_camera()
    gaussian, compressed, shown = (folder / name for name in ("gaussian", "compressed", "published"))
    compressed.mkdir(parents=True)
    shown.mkdir()
    means, colours = world_positions(camera), np.array(list(_BLOBS)) / 255
    write_training(gaussian, [camera], splats_at(means, colours, radius))
    write_blobs(compressed, means, colours.astype(np.uint8), radius, antialiased=antialiased)
    prepare(gaussian, compressed, shown, title="Five blobs", report=silent)

    store = MemoryStore()
    store.put_folder(S3Uri("test-bucket", "jobs/1/published"), shown)
    store.put_folder(S3Uri("test-bucket", "jobs/1/compressed"), compressed)
    registry = SceneRegistry(store, ROOT)
    registry.publish(
        "blobs",
        published=S3Uri("test-bucket", "jobs/1/published"),
        compressed=S3Uri("test-bucket", "jobs/1/compressed"),
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    with serving(create_app(registry)) as address:
        yield BlobScene(f"{address}/s/blobs/", camera, _blobs_in_photo(camera))


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serves an application from a thread with its own event loop; gives its address."""
    started: list[str] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def run() -> None:
        server = await serve(app, "127.0.0.1", 0)
        started.append(f"http://{server.host}:{server.port}")
        ready.set()
        await stopping.wait()
        await server.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), name="http server")
    thread.start()
    try:
        assert ready.wait(20), "the HTTP server did not start"
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(20)
        loop.close()


def _blobs_in_photo(camera: Camera) -> dict[tuple[float, float], tuple[int, int, int]]:
    return {
        (camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy): colour
        for colour, (x, y, z) in _BLOBS.items()
    }
