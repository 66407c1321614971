"""The list of published scenes: one small JSON object each in the object store, ``scenes/{slug}/scene.json``.

A record says where a scene's files lie and which they are (the digests of both manifests), so that what is
served can not change behind it. There is no index to keep in step: the objects are the list. Publishing a
slug again replaces it; taking a scene off the web leaves its artifacts alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Protocol

from splatworks_common.artifacts.manifest import Manifest
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_streamer.publish import (
    CONTENT_NAME,
    DESCRIPTION_NAME,
    SETTINGS_NAME,
    THUMBNAIL_NAME,
    PublishedScene,
)

_RECORD_NAME = "scene.json"
_RECORD_VERSION = 1
_SLUG = re.compile(r"[a-z0-9-]{1,63}")
_MAX_TITLE = 200

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class Listed(Protocol):
    """One entry of a listing."""

    @property
    def key(self) -> str:
        """The object's key."""


class ByteStream(Protocol):
    """Chunks of an object; closed by whoever opened it."""

    def __iter__(self) -> Iterator[bytes]:
        """The chunks in order."""

    def close(self) -> None:
        """Lets the connection go."""


class SceneStore(Protocol):
    """What this package needs of ``splatworks_common.artifacts.store.ArtifactStore``, errors included."""

    def get_bytes(self, uri: S3Uri) -> bytes:
        """Reads a small object."""

    def put_bytes(self, uri: S3Uri, data: bytes) -> None:
        """Writes a small object."""

    def list_objects(self, uri: S3Uri) -> Iterator[Listed]:
        """Every object beneath a prefix."""

    def delete_prefix(self, uri: S3Uri) -> int:
        """Deletes everything beneath a prefix; tells how many objects."""

    def read_manifest(self, uri: S3Uri) -> Manifest | None:
        """The manifest of a finished artifact."""

    def open_range(self, uri: S3Uri, start: int, length: int) -> ByteStream:
        """Reads a part of an object, at least one byte of it."""


@dataclass(frozen=True)
class Scene:
    """A published scene.

    Attributes:
        slug: Its name in URLs.
        title: Its name for people.
        gaussians: How many Gaussians it has.
        size_bytes: Size of ``scene.sog``.
        psnr: Mean PSNR in dB over the photos kept away from training; None where none was.
        first_view: Name of the photo through whose camera a visitor looks first.
        published_uri: Where ``settings.json``, ``thumbnail.webp`` and ``scene.json`` lie.
        published_digest: The digest of that artifact's manifest.
        compressed_uri: Where ``scene.sog`` and its unbundled files lie.
        compressed_digest: The digest of that artifact's manifest.
        published_at: When it was published; with a time zone.
        antialiased: Whether the viewer is to draw with Mip-Splatting's 2D filter; older records do not say.
    """

    slug: str
    title: str
    gaussians: int
    size_bytes: int
    psnr: float | None
    first_view: str
    published_uri: S3Uri
    published_digest: str
    compressed_uri: S3Uri
    compressed_digest: str
    published_at: datetime
    antialiased: bool = False


@dataclass(frozen=True)
class ScenePage:
    """Some scenes in the order of their slugs; ``next_page_token`` is empty on the last page."""

    scenes: tuple[Scene, ...]
    next_page_token: str


def check_slug(slug: str) -> None:
    """Accepts 1 to 63 of ``a-z``, ``0-9`` and ``-``.

    Raises:
        InputInvalid: ``slug`` is something else.
    """
    if not _SLUG.fullmatch(slug):
        raise InputInvalid(f"'{slug[:80]}' is not a slug; use 1 to 63 of a-z, 0-9 and '-'")


def check_title(title: str) -> None:
    """Accepts 1 to 200 characters.

    Raises:
        InputInvalid: ``title`` is longer or empty.
    """
    if not 0 < len(title) <= _MAX_TITLE:
        raise InputInvalid(f"the title has {len(title)} characters; give it 1 to {_MAX_TITLE}")


class SceneRegistry:
    """Published scenes in the store, beneath ``root``.

    Example:
        >>> registry = SceneRegistry(store, store.uri("scenes"))
        >>> registry.publish("fox", published=store.uri("jobs/1/published"),
        ...                  compressed=store.uri("jobs/1/compressed"), at=datetime.now(UTC))
    """

    def __init__(self, store: SceneStore, root: S3Uri) -> None:
        """Asks nothing of the store yet.

        Args:
            store: Where the records and the artifacts lie.
            root: The prefix of the records; nothing else may lie beneath it.
        """
        self.store = store
        self._root = root

    def publish(self, slug: str, *, published: S3Uri, compressed: S3Uri, at: datetime) -> Scene:
        """Puts a scene on the web, replacing one of the same slug.

        Args:
            slug: Its name in URLs.
            published: The finished artifact with what ``publish.prepare`` wrote.
            compressed: The finished artifact with what the compressor wrote.
            at: The time now; with a time zone.

        Raises:
            InputInvalid: The slug or the title is not allowed, or a file needed is not in its artifact.
            InputNotFound: An artifact is not finished.
        """
        check_slug(slug)
        pages = _manifest_with(self.store, published, (SETTINGS_NAME, THUMBNAIL_NAME, DESCRIPTION_NAME))
        model = _manifest_with(self.store, compressed, (CONTENT_NAME,))
        described = _description(self.store.get_bytes(published / DESCRIPTION_NAME))
        check_title(described.title)
        scene = Scene(
            slug=slug,
            **asdict(described),
            published_uri=published,
            published_digest=pages.digest(),
            compressed_uri=compressed,
            compressed_digest=model.digest(),
            published_at=at.astimezone(UTC),
        )
        self.store.put_bytes(self._record(slug), _to_json(scene))
        return scene

    def unpublish(self, slug: str) -> None:
        """Takes a scene off the web.

        Raises:
            InputInvalid: ``slug`` is not a slug.
            InputNotFound: There is no such scene.
        """
        check_slug(slug)
        if not self.store.delete_prefix(self._root / slug):
            raise InputNotFound(f"there is no scene '{slug}'")

    def get(self, slug: str) -> Scene:
        """One scene.

        Raises:
            InputInvalid: ``slug`` is not a slug, or its record can not be read.
            InputNotFound: There is no such scene.
        """
        check_slug(slug)
        try:
            data = self.store.get_bytes(self._record(slug))
        except InputNotFound as error:
            raise InputNotFound(f"there is no scene '{slug}'") from error
        return _from_json(slug, data)

    def list(self, page_size: int = DEFAULT_PAGE_SIZE, page_token: str = "") -> ScenePage:
        """A page of scenes in the order of their slugs.

        Args:
            page_size: At most so many, 1 to 1000.
            page_token: The ``next_page_token`` of the page before; empty for the first.

        Raises:
            InputInvalid: ``page_size`` is out of range, or ``page_token`` is not one.
        """
        if not 1 <= page_size <= MAX_PAGE_SIZE:
            raise InputInvalid(f"page_size is {page_size}; use 1 to {MAX_PAGE_SIZE}")
        if page_token:
            check_slug(page_token)
        slugs = sorted(slug for slug in self._slugs() if slug > page_token)
        scenes = tuple(self._existing(slugs[:page_size]))
        return ScenePage(scenes, slugs[page_size - 1] if len(slugs) > page_size else "")

    def _existing(self, slugs: Sequence[str]) -> Iterator[Scene]:
        for slug in slugs:
            try:
                yield self.get(slug)
            except (InputNotFound, InputInvalid):
                continue  # unpublished since it was listed, or not readable: the others are still there

    def _slugs(self) -> Iterator[str]:
        for entry in self.store.list_objects(self._root):
            slug, _, name = entry.key.removeprefix(self._root.prefix).partition("/")
            if name == _RECORD_NAME:
                yield slug

    def _record(self, slug: str) -> S3Uri:
        return self._root / slug / _RECORD_NAME


def _manifest_with(store: SceneStore, uri: S3Uri, names: tuple[str, ...]) -> Manifest:
    manifest = store.read_manifest(uri)
    if manifest is None:
        raise InputNotFound(f"{uri} has no manifest: the stage that writes it has not finished")
    present = {file.path for file in manifest.files}
    for name in names:
        if name not in present:
            raise InputInvalid(f"{uri} has no {name}; run the stage that writes it again")
    return manifest


def _description(data: bytes) -> PublishedScene:
    try:
        return PublishedScene(**json.loads(data))
    except (ValueError, TypeError) as error:
        raise InputInvalid(f"{DESCRIPTION_NAME} does not describe a scene: {error}") from error


def _to_json(scene: Scene) -> bytes:
    record = asdict(scene) | {
        "version": _RECORD_VERSION,
        "published_uri": str(scene.published_uri),
        "compressed_uri": str(scene.compressed_uri),
        "published_at": scene.published_at.isoformat(),
    }
    return (json.dumps(record, indent=1, sort_keys=True) + "\n").encode()


def _from_json(slug: str, data: bytes) -> Scene:
    try:
        record: dict[str, Any] = json.loads(data)
        if record.pop("version") != _RECORD_VERSION:
            raise InputInvalid(f"the record of scene '{slug}' is of another version; publish the scene again")
        record["published_uri"] = S3Uri.parse(record["published_uri"])
        record["compressed_uri"] = S3Uri.parse(record["compressed_uri"])
        record["published_at"] = datetime.fromisoformat(record["published_at"])
        known = {field.name for field in fields(Scene)}
        return Scene(**{name: value for name, value in record.items() if name in known})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputInvalid(
            f"the record of scene '{slug}' can not be read: {error!r}; publish it again"
        ) from error
