"""``ArtifactStore``: directories to and from an S3-compatible object store, and the manifests that seal them.

The order of a stage's work with it: ``read_manifest`` of its output (there already? then done), download
the inputs verified, do the work, ``upload_directory``, ``commit``. The store holds no state besides
connections; make one per process. Every method may raise ``StorageUnavailable`` once its retries are used
up.

Memory: a file in transit takes one part (8 MiB) per transfer thread, whatever its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from splatworks_common.artifacts.client import Client, StoredObject
from splatworks_common.artifacts.manifest import MANIFEST_NAME, Manifest, ManifestFile, media_type
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.stream import ObjectStream
from splatworks_common.artifacts.transfer import Batch, OnProgress
from splatworks_common.artifacts.uri import S3Uri, check_keys, safe_relative_paths
from splatworks_common.reasons import InputInvalid, InputNotFound, StorageUnavailable

MAX_SMALL_BYTES = 1 << 20
"""Default bound of ``get_bytes``."""

_MAX_MANIFEST_BYTES = 64 << 20


@dataclass(frozen=True)
class Commit:
    """How a commit ended.

    Attributes:
        won: True where this call's manifest now stands.
        manifest: The manifest that stands: this call's, or that of whoever was first.
    """

    won: bool
    manifest: Manifest


class ArtifactStore:
    """Artifacts in one object store.

    Example:
        >>> with ArtifactStore(StoreSettings.from_environment()) as store:
        ...     uri = store.uri("jobs/fox/gaussian")
        ...     files = store.upload_directory(Path("out"), uri)
        ...     store.commit(Manifest(stage="trainer", ..., files=files), uri)
    """

    def __init__(self, settings: StoreSettings, *, parallel: int = 4) -> None:
        """Prepares connections; nothing is sent yet.

        Args:
            settings: Which store, with which credentials.
            parallel: How many files are in transit at a time.
        """
        self.settings = settings
        self._parallel = parallel
        self._client = Client(settings, connections=parallel)

    def __enter__(self) -> ArtifactStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the idle connections; the store can still be used and opens new ones."""
        self._client.close()

    def uri(self, key: str) -> S3Uri:
        """The address of a key in the settings' bucket."""
        return S3Uri(self.settings.bucket, key)

    def ensure_bucket(self) -> None:
        """Creates the settings' bucket unless it is there."""
        self._client.ensure_bucket(self.settings.bucket)

    # Files and directories ---------------------------------------------------------------------------------

    def upload_directory(
        self, local: Path, uri: S3Uri, *, on_progress: OnProgress | None = None
    ) -> list[ManifestFile]:
        """Sends every file under a folder, at any depth.

        Args:
            local: The folder.
            uri: The prefix to send it to; objects that are there already and have other names stay.
            on_progress: Hears of bytes.

        Returns:
            One row per file, sorted by path.

        Raises:
            InputInvalid: A file's name is not portable (see ``uri``), is ``manifest.json`` at the top, or
                is a symbolic link or device. Nothing has been sent then.
        """
        files = {path.relative_to(local).as_posix(): path for path in _regular_files(local)}
        return self.upload_files(files, uri, on_progress=on_progress)

    def upload_files(
        self, files: Mapping[str, Path], uri: S3Uri, *, on_progress: OnProgress | None = None
    ) -> list[ManifestFile]:
        """Sends files under names that need not be their own.

        Args:
            files: From the path beneath ``uri`` to the local file.
            uri: The prefix to send them to.
            on_progress: Hears of bytes.

        Returns:
            One row per file, sorted by path.

        Raises:
            InputInvalid: As ``upload_directory``.
        """
        check_keys([*files, MANIFEST_NAME])
        batch = self._batch(sum(path.stat().st_size for path in files.values()), on_progress)
        return batch.each(
            self._parallel, lambda path: batch.upload(files[path], uri / path, path), sorted(files)
        )

    def upload_file(self, local: Path, uri: S3Uri, *, on_progress: OnProgress | None = None) -> ManifestFile:
        """Sends one file to the very address ``uri``; the row's path is the address's last segment."""
        return self._batch(local.stat().st_size, on_progress).upload(local, uri, uri.key.rpartition("/")[2])

    def download_directory(
        self, uri: S3Uri, local: Path, *, on_progress: OnProgress | None = None
    ) -> list[ManifestFile]:
        """Fetches every object beneath a prefix that somebody else filled, such as a person's photos.

        There is no manifest to verify against: the digests say what was read. For a stage's result use
        ``download_artifact``.

        Args:
            uri: The prefix.
            local: The folder to fill; made if missing.
            on_progress: Hears of bytes.

        Returns:
            One row per object, sorted by path; paths may have characters that are not portable.

        Raises:
            InputNotFound: There is no object beneath the prefix.
            InputInvalid: An object's name cannot become a file inside ``local``. Nothing has been fetched
                then.
        """
        objects = {
            entry.key.removeprefix(uri.prefix): entry for entry in self._client.list(uri.bucket, uri.prefix)
        }
        if not objects:
            raise InputNotFound(f"there is nothing beneath {uri}; check the address, or upload first")
        paths = safe_relative_paths(objects)
        batch = self._batch(sum(entry.bytes for entry in objects.values()), on_progress)
        return batch.each(
            self._parallel,
            lambda key: batch.download(uri.bucket, objects[key].key, local / paths[key], key),
            sorted(objects),
        )

    def download_file(
        self, uri: S3Uri, local: Path, *, on_progress: OnProgress | None = None
    ) -> ManifestFile:
        """Fetches one object into the file ``local``, whose folder is made if missing.

        Raises:
            InputNotFound: There is no such object.
        """
        batch = self._batch(self.stat(uri).bytes, on_progress)
        return batch.download(uri.bucket, uri.key, local, local.name)

    # Artifacts: directories with a manifest ----------------------------------------------------------------

    def commit(self, manifest: Manifest, uri: S3Uri) -> Commit:
        """Writes ``manifest.json``, after which the artifact is finished; the first to do so wins.

        Call it when every file is there. It never overwrites: where a manifest exists already, that one is
        returned.
        """
        data = manifest.to_json()
        key = (uri / MANIFEST_NAME).key
        if self._client.put_if_absent(uri.bucket, key, data, "application/json"):
            return Commit(won=True, manifest=manifest)
        standing = self.read_manifest(uri)
        if standing is None:
            raise StorageUnavailable(
                f"the manifest of {uri} was deleted while this one was committed; run again"
            )
        return Commit(won=False, manifest=standing)

    def read_manifest(self, uri: S3Uri) -> Manifest | None:
        """The manifest of the artifact at ``uri``; None where it is not finished.

        Raises:
            InputInvalid: There is one, but it cannot be read.
        """
        try:
            return Manifest.from_json(self.get_bytes(uri / MANIFEST_NAME, limit=_MAX_MANIFEST_BYTES))
        except InputNotFound:
            return None
        except InputInvalid as error:
            raise InputInvalid(f"{uri / MANIFEST_NAME}: {error}") from error

    def download_artifact(
        self,
        uri: S3Uri,
        local: Path,
        *,
        manifest: Manifest | None = None,
        select: Callable[[str], bool] = lambda path: True,
        on_progress: OnProgress | None = None,
    ) -> Manifest:
        """Fetches a finished artifact and verifies size and SHA-256 of every file while it comes in.

        Args:
            uri: The artifact's prefix.
            local: The folder to fill; made if missing. A file appears there only once it is verified.
            manifest: What to expect; read from the store if not given.
            select: Which paths to fetch.
            on_progress: Hears of bytes.

        Returns:
            The manifest that was verified against.

        Raises:
            InputNotFound: The artifact has no manifest, or a file that it names is gone.
            InputInvalid: A file is not what the manifest says; the message names it and both digests.
        """
        known = manifest or self.read_manifest(uri)
        if known is None:
            raise InputNotFound(f"{uri} has no {MANIFEST_NAME}: the stage that writes it has not finished")
        files = [file for file in known.files if select(file.path)]
        batch = self._batch(sum(file.bytes for file in files), on_progress)
        batch.each(
            self._parallel,
            lambda file: batch.download(
                uri.bucket, (uri / file.path).key, local / file.path, file.path, file
            ),
            files,
        )
        return known

    def copy_prefix(
        self,
        source: S3Uri,
        target: S3Uri,
        files: Sequence[ManifestFile],
        *,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Copies files of an artifact inside the store; no byte comes here. ``commit`` is the caller's.

        Args:
            source: The artifact's prefix.
            target: The prefix to copy to.
            files: Which files: usually ``manifest.files``.
            on_progress: Hears of bytes.

        Raises:
            InputNotFound: A file is not at the source any more.
        """
        batch = self._batch(sum(file.bytes for file in files), on_progress)
        batch.each(
            self._parallel, lambda file: batch.copy(source / file.path, target / file.path, file.bytes), files
        )

    def delete_prefix(self, uri: S3Uri) -> int:
        """Deletes everything beneath a prefix: the manifest first, so that no half looks finished.

        Returns:
            How many objects were deleted.

        Raises:
            ValueError: ``uri`` is a whole bucket.
        """
        if not uri.key:
            raise ValueError(f"refusing to delete all of {uri}")
        keys = [entry.key for entry in self._client.list(uri.bucket, uri.prefix)]
        manifest = (uri / MANIFEST_NAME).key
        self._client.delete(uri.bucket, [key for key in keys if key == manifest])
        self._client.delete(uri.bucket, [key for key in keys if key != manifest])
        return len(keys)

    # Single objects ----------------------------------------------------------------------------------------

    def list_objects(self, uri: S3Uri) -> Iterator[StoredObject]:
        """Every object beneath a prefix, in key order. Keys may be of any kind."""
        return self._client.list(uri.bucket, uri.prefix)

    def stat(self, uri: S3Uri) -> StoredObject:
        """Size, ETag, time and media type of an object.

        Raises:
            InputNotFound: There is no such object.
        """
        return self._client.head(uri.bucket, uri.key)

    def open_range(self, uri: S3Uri, start: int = 0, length: int | None = None) -> ObjectStream:
        """Reads an object, or ``length`` bytes of it from ``start``, as chunks of at most 256 KiB.

        The answer has begun when this returns; close the stream (or use it in ``with``) unless it is read
        to its end.

        Raises:
            InputNotFound: There is no such object.
            InputInvalid: The range begins beyond its end.
        """
        return ObjectStream(self._client, uri.bucket, uri.key, start, length)

    def get_bytes(self, uri: S3Uri, *, limit: int = MAX_SMALL_BYTES) -> bytes:
        """Reads a small object whole.

        Raises:
            InputNotFound: There is no such object.
            InputInvalid: It is longer than ``limit`` bytes.
        """
        data = self._client.get(uri.bucket, uri.key, limit=limit + 1)
        if len(data) > limit:
            raise InputInvalid(f"{uri} is longer than the {limit} bytes allowed for it")
        return data

    def put_bytes(self, uri: S3Uri, data: bytes, *, cache_control: str = "") -> None:
        """Writes a small object, replacing what was there; the media type follows from its name.

        Args:
            uri: Its address.
            data: Its content.
            cache_control: The header of that name with which the store gives it out; none if empty.
        """
        self._client.put(uri.bucket, uri.key, data, media_type(uri.key), cache_control)

    def _batch(self, total: int, on_progress: OnProgress | None) -> Batch:
        return Batch(self._client, total, on_progress)


def _regular_files(folder: Path) -> Iterator[Path]:
    """Every file under a folder, at any depth."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InputInvalid(f"{path} is not a regular file; an artifact holds nothing else")
        if path.is_file():
            yield path
