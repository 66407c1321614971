"""Scenes in a store in memory, published without the stages before."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from splatworks_common.artifacts.uri import S3Uri
from splatworks_streamer.scenes import Scene, SceneRegistry
from tests.unit.streamer.memory_store import ROOT, MemoryStore

CONTENT = bytes(range(256)) * 20
SETTINGS = b'{"version": 2}'
THUMBNAIL = b"RIFF....WEBP"
PUBLISHED_AT = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def put_scene(
    store: MemoryStore,
    slug: str = "fox",
    *,
    title: str = "A fox",
    content: bytes = CONTENT,
    psnr: float | None = 29.44,
    antialiased: bool = False,
) -> Scene:
    """Stores both artifacts of a scene beneath ``jobs/{slug}`` and publishes it."""
    published, compressed = (
        S3Uri(ROOT.bucket, f"jobs/{slug}/published"),
        S3Uri(ROOT.bucket, f"jobs/{slug}/compressed"),
    )
    description = {
        "title": title,
        "gaussians": 41_200,
        "size_bytes": len(content),
        "psnr": psnr,
        "first_view": "IMG_0001.jpg",
        "antialiased": antialiased,
    }
    store.put_artifact(
        published,
        {
            "settings.json": SETTINGS,
            "thumbnail.webp": THUMBNAIL,
            "scene.json": json.dumps(description).encode(),
        },
    )
    store.put_artifact(compressed, {"scene.sog": content, "meta.json": b"{}", "empty.webp": b""})
    return SceneRegistry(store, ROOT).publish(
        slug, published=published, compressed=compressed, at=PUBLISHED_AT
    )
