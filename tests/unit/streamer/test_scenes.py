from __future__ import annotations

import json
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_streamer.scenes import SceneRegistry, check_slug
from tests.unit.streamer.memory_store import ROOT, MemoryStore
from tests.unit.streamer.published_scene import PUBLISHED_AT, put_scene

SLUG_CHARACTERS = string.ascii_lowercase + string.digits + "-"


@given(st.text(SLUG_CHARACTERS, min_size=1, max_size=63))
def test_every_slug_is_accepted_and_found_again(slug: str) -> None:
    store = MemoryStore()

    published = put_scene(store, slug)

    assert SceneRegistry(store, ROOT).get(slug) == published


@given(st.text().filter(lambda text: not (0 < len(text) < 64 and set(text) <= set(SLUG_CHARACTERS))))
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InputInvalid, match="is not a slug"):
        check_slug(text)


def test_a_scene_is_recorded_with_the_digests_of_its_artifacts(
    store: MemoryStore, registry: SceneRegistry
) -> None:
    put_scene(store, "fox", title="A fox", psnr=None)

    scene = registry.get("fox")

    manifest = store.read_manifest(scene.compressed_uri)
    assert manifest is not None
    assert scene.compressed_digest == manifest.digest()
    assert (scene.title, scene.gaussians, scene.psnr) == ("A fox", 41_200, None)
    assert scene.published_at == PUBLISHED_AT


def test_publishing_a_slug_again_replaces_the_scene(store: MemoryStore, registry: SceneRegistry) -> None:
    put_scene(store, "fox", title="A fox")
    put_scene(store, "fox", title="Another fox")

    assert [scene.title for scene in registry.list().scenes] == ["Another fox"]


def test_an_unpublished_scene_is_gone_and_its_artifacts_stay(
    store: MemoryStore, registry: SceneRegistry
) -> None:
    scene = put_scene(store, "fox")
    put_scene(store, "fox-2")

    registry.unpublish("fox")

    assert [left.slug for left in registry.list().scenes] == ["fox-2"]
    assert store.read_manifest(scene.compressed_uri) is not None


@pytest.mark.parametrize("call", ["get", "unpublish"])
def test_an_unknown_scene_is_not_found(registry: SceneRegistry, call: str) -> None:
    with pytest.raises(InputNotFound, match="there is no scene 'fox'"):
        getattr(registry, call)("fox")


def test_an_unfinished_artifact_can_not_be_published(store: MemoryStore, registry: SceneRegistry) -> None:
    scene = put_scene(store, "fox")

    with pytest.raises(InputNotFound, match="has no manifest"):
        registry.publish(
            "new",
            published=scene.published_uri,
            compressed=S3Uri(ROOT.bucket, "jobs/none"),
            at=datetime.now(UTC),
        )


def test_an_artifact_without_the_scene_can_not_be_published(
    store: MemoryStore, registry: SceneRegistry
) -> None:
    scene = put_scene(store, "fox")

    with pytest.raises(InputInvalid, match=r"has no scene\.sog"):
        registry.publish(
            "new", published=scene.published_uri, compressed=scene.published_uri, at=datetime.now(UTC)
        )


@pytest.mark.parametrize("title", ["", "x" * 201])
def test_a_title_of_unfit_length_is_refused(store: MemoryStore, title: str) -> None:
    with pytest.raises(InputInvalid, match="the title has"):
        put_scene(store, "fox", title=title)


@given(st.sets(st.text("ab-", min_size=1, max_size=4), max_size=12), st.integers(1, 5))
def test_pages_together_list_every_scene_once_in_order(slugs: set[str], page_size: int) -> None:
    store = MemoryStore()
    for slug in slugs:
        put_scene(store, slug)
    registry = SceneRegistry(store, ROOT)

    listed: list[str] = []
    token = ""
    while True:
        page = registry.list(page_size, token)
        assert len(page.scenes) <= page_size
        listed += [scene.slug for scene in page.scenes]
        token = page.next_page_token
        if not token:
            break

    assert listed == sorted(slugs)


@pytest.mark.parametrize("page_size", [0, 1001])
def test_a_page_size_out_of_range_is_refused(registry: SceneRegistry, page_size: int) -> None:
    with pytest.raises(InputInvalid, match="page_size"):
        registry.list(page_size)


def test_a_page_token_that_is_none_is_refused(registry: SceneRegistry) -> None:
    with pytest.raises(InputInvalid, match="is not a slug"):
        registry.list(10, "../etc")


@pytest.mark.parametrize(
    "record", [b"not json", b"[]", b"{}", b'{"version": 1}', b'{"version": 9}'], ids=repr
)
def test_a_record_that_can_not_be_read_says_so(
    store: MemoryStore, registry: SceneRegistry, record: bytes
) -> None:
    store.put_bytes(ROOT / "fox" / "scene.json", record)

    with pytest.raises(InputInvalid, match="the record of scene 'fox'"):
        registry.get("fox")


def test_a_record_of_an_older_or_newer_streamer_can_be_read(
    store: MemoryStore, registry: SceneRegistry
) -> None:
    scene = put_scene(store, "fox")
    record = json.loads(store.get_bytes(ROOT / "fox" / "scene.json"))
    del record["antialiased"]
    store.put_bytes(ROOT / "fox" / "scene.json", json.dumps({**record, "mood": "sly"}).encode())

    assert registry.get("fox") == scene


def test_a_record_that_can_not_be_read_does_not_hide_the_other_scenes(
    store: MemoryStore, registry: SceneRegistry
) -> None:
    store.put_bytes(ROOT / "broken" / "scene.json", b"not json")
    put_scene(store, "fox")

    assert [scene.slug for scene in registry.list(10).scenes] == ["fox"]
