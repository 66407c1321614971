"""The artifact store against a real SeaweedFS: transfers, manifests, verification, errors."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from minio import Minio

from splatworks_common.artifacts import transfer
from splatworks_common.artifacts.manifest import Manifest, ManifestFile
from splatworks_common.artifacts.settings import RetryPolicy, StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid, InputNotFound, StorageUnavailable

HASTY = RetryPolicy(attempts=4, first_pause=0.01, longest_pause=0.02)


def make_manifest(files: list[ManifestFile], seconds: float = 1.0) -> Manifest:
    return Manifest(
        stage="trainer",
        stage_version="1",
        input_digest="a" * 64,
        files=files,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=seconds,
    )


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def raw_client(settings: StoreSettings) -> Minio:
    """A client that knows none of our rules."""
    return Minio(
        settings.url.removeprefix("http://"),
        settings.access_key,
        settings.secret_key,
        secure=False,
        region="us-east-1",
    )


def put_raw(settings: StoreSettings, uri: S3Uri, name: str, data: bytes = b"x") -> None:
    raw_client(settings).put_object(uri.bucket, uri.prefix + name, io.BytesIO(data), len(data))


# Directories -----------------------------------------------------------------------------------------------


def test_a_folder_survives_the_round_trip(
    store: ArtifactStore, prefix: S3Uri, folder: Path, tmp_path: Path
) -> None:
    sent = store.upload_directory(folder, prefix)
    received = store.download_directory(prefix, tmp_path / "back")

    assert contents(tmp_path / "back") == contents(folder)
    assert received == sent
    assert [file.path for file in sent] == ["model.ply", "sparse/cameras.bin", "training.log"]
    for file in sent:
        data = (folder / file.path).read_bytes()
        assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_media_types_are_stored(store: ArtifactStore, prefix: S3Uri, tmp_path: Path) -> None:
    (tmp_path / "means_l.webp").write_bytes(b"webp")

    store.upload_file(tmp_path / "means_l.webp", prefix / "means_l.webp")

    assert store.stat(prefix / "means_l.webp").media_type == "image/webp"


@pytest.mark.parametrize("size", [transfer.PART_BYTES - 1, transfer.PART_BYTES, 2 * transfer.PART_BYTES + 17])
def test_files_around_the_part_size_survive(
    store: ArtifactStore, prefix: S3Uri, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size)
    (tmp_path / "big").write_bytes(data)

    sent = store.upload_file(tmp_path / "big", prefix / "big")
    store.download_file(prefix / "big", tmp_path / "back" / "big")

    assert (tmp_path / "back" / "big").read_bytes() == data
    assert (sent.bytes, sent.sha256) == (size, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("direction", ["up", "down"])
def test_progress_counts_every_byte_once(
    store: ArtifactStore, prefix: S3Uri, folder: Path, tmp_path: Path, direction: str
) -> None:
    heard: list[tuple[int, int]] = []

    def listen(done: int, total: int) -> None:
        heard.append((done, total))

    store.upload_directory(folder, prefix, on_progress=listen if direction == "up" else None)
    if direction == "down":
        store.download_directory(prefix, tmp_path / "back", on_progress=listen)

    size = sum(len(data) for data in contents(folder).values())
    assert heard[-1] == (size, size)
    assert heard == sorted(heard)


def test_files_can_be_sent_under_other_names(store: ArtifactStore, prefix: S3Uri, tmp_path: Path) -> None:
    (tmp_path / "IMG (2).jpg").write_bytes(b"photo")

    sent = store.upload_files({"photos/0001.jpg": tmp_path / "IMG (2).jpg"}, prefix)

    assert [file.path for file in sent] == ["photos/0001.jpg"]
    assert store.get_bytes(prefix / "photos/0001.jpg") == b"photo"


@pytest.mark.parametrize("name", ["IMG (2).jpg", "ü.jpg", "manifest.json"])
def test_names_that_may_not_be_written_are_refused_before_anything_is_sent(
    store: ArtifactStore, prefix: S3Uri, folder: Path, name: str
) -> None:
    (folder / name).write_bytes(b"x")

    with pytest.raises(InputInvalid):
        store.upload_directory(folder, prefix)

    assert list(store.list_objects(prefix)) == []


def test_a_symbolic_link_is_not_followed(store: ArtifactStore, prefix: S3Uri, folder: Path) -> None:
    (folder / "link").symlink_to("/etc/hostname")

    with pytest.raises(InputInvalid, match="not a regular file"):
        store.upload_directory(folder, prefix)


def test_photos_named_by_people_can_be_read(
    object_store: StoreSettings, store: ArtifactStore, prefix: S3Uri, tmp_path: Path
) -> None:
    names = ["IMG (2).jpg", "day 1/Küche+ñ.JPG", "100%.png", "a&b='c'.jpg"]
    for name in names:
        put_raw(object_store, prefix, name, name.encode())

    files = store.download_directory(prefix, tmp_path / "photos")

    assert contents(tmp_path / "photos") == {name: name.encode() for name in names}
    assert [file.path for file in files] == sorted(names)


def test_a_name_that_cannot_be_a_file_is_refused_before_anything_is_fetched(
    object_store: StoreSettings, store: ArtifactStore, prefix: S3Uri, tmp_path: Path
) -> None:
    put_raw(object_store, prefix, "a.jpg")
    put_raw(object_store, prefix, "b\tc.jpg")

    with pytest.raises(InputInvalid, match="cannot become a file"):
        store.download_directory(prefix, tmp_path / "photos")

    assert not (tmp_path / "photos").exists()


def test_an_empty_prefix_is_not_found(store: ArtifactStore, prefix: S3Uri, tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=str(prefix)):
        store.download_directory(prefix, tmp_path)


def test_a_prefix_does_not_take_its_longer_neighbour(
    store: ArtifactStore, prefix: S3Uri, tmp_path: Path
) -> None:
    store.put_bytes(prefix / "fox/a", b"1")
    store.put_bytes(prefix / "fox2/b", b"2")

    assert [file.path for file in store.download_directory(prefix / "fox", tmp_path)] == ["a"]
    assert store.delete_prefix(prefix / "fox") == 1
    assert store.get_bytes(prefix / "fox2/b") == b"2"


def test_long_listings_are_complete(store: ArtifactStore, prefix: S3Uri) -> None:
    keys = [f"{number:04}" for number in range(1100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put_bytes(prefix / key, b"x"), keys))

    listed = [entry.key.removeprefix(prefix.prefix) for entry in store.list_objects(prefix)]

    assert listed == keys
    assert store.delete_prefix(prefix) == 1100
    assert list(store.list_objects(prefix)) == []


def test_a_whole_bucket_is_never_deleted(store: ArtifactStore) -> None:
    with pytest.raises(ValueError, match="refusing"):
        store.delete_prefix(store.uri(""))


# Artifacts -------------------------------------------------------------------------------------------------


def test_an_artifact_is_finished_by_its_manifest(store: ArtifactStore, prefix: S3Uri, folder: Path) -> None:
    files = store.upload_directory(folder, prefix)
    assert store.read_manifest(prefix) is None

    manifest = make_manifest(files)
    commit = store.commit(manifest, prefix)

    assert commit.won
    assert store.read_manifest(prefix) == manifest


def test_of_many_commits_at_once_one_wins_and_all_learn_which(store: ArtifactStore, prefix: S3Uri) -> None:
    start = threading.Barrier(16)

    def commit(number: int) -> tuple[bool, float]:
        start.wait()
        result = store.commit(make_manifest([], seconds=number), prefix)
        return result.won, result.manifest.seconds

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(commit, range(16)))

    winners = [number for number, (won, _) in enumerate(results) if won]
    assert len(winners) == 1
    assert {seconds for _, seconds in results} == {float(winners[0])}


def test_a_commit_never_replaces_the_first(store: ArtifactStore, prefix: S3Uri) -> None:
    first = make_manifest([], seconds=1)
    store.commit(first, prefix)

    second = store.commit(make_manifest([], seconds=2), prefix)

    assert (second.won, second.manifest) == (False, first)
    assert store.read_manifest(prefix) == first


def test_a_manifest_that_is_none_is_refused_by_name(store: ArtifactStore, prefix: S3Uri) -> None:
    store.put_bytes(prefix / "manifest.json", b"{}")

    with pytest.raises(InputInvalid, match=rf"{prefix}/manifest\.json"):
        store.read_manifest(prefix)


@pytest.fixture
def artifact(store: ArtifactStore, prefix: S3Uri, folder: Path) -> S3Uri:
    store.commit(make_manifest(store.upload_directory(folder, prefix)), prefix)
    return prefix


def test_an_artifact_is_fetched_without_its_manifest(
    store: ArtifactStore, artifact: S3Uri, folder: Path, tmp_path: Path
) -> None:
    manifest = store.download_artifact(artifact, tmp_path / "back")

    assert contents(tmp_path / "back") == contents(folder)
    assert manifest == store.read_manifest(artifact)


def test_part_of_an_artifact_can_be_fetched(store: ArtifactStore, artifact: S3Uri, tmp_path: Path) -> None:
    store.download_artifact(artifact, tmp_path / "back", select=lambda path: path.startswith("sparse/"))

    assert list(contents(tmp_path / "back")) == ["sparse/cameras.bin"]


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda data: data[:-1] + b"\0", "SHA-256"),
        (lambda data: data[:-1], "bytes"),
        (lambda data: data * 2, "bytes"),
    ],
    ids=["changed", "shorter", "longer"],
)
def test_a_damaged_object_is_named_and_not_left_behind(
    store: ArtifactStore, artifact: S3Uri, tmp_path: Path, damage: Callable[[bytes], bytes], complaint: str
) -> None:
    target = artifact / "model.ply"
    store.put_bytes(target, damage(store.get_bytes(target)))

    with pytest.raises(InputInvalid, match=complaint) as caught:
        store.download_artifact(artifact, tmp_path / "back")

    assert str(target) in str(caught.value)
    assert "model.ply" not in contents(tmp_path / "back")


def test_a_damaged_object_is_told_by_both_digests(
    store: ArtifactStore, artifact: S3Uri, folder: Path, tmp_path: Path
) -> None:
    original = (folder / "sparse/cameras.bin").read_bytes()
    store.put_bytes(artifact / "sparse/cameras.bin", b"CAMERAS")

    with pytest.raises(InputInvalid) as caught:
        store.download_artifact(artifact, tmp_path / "back")

    assert hashlib.sha256(original).hexdigest() in str(caught.value)
    assert hashlib.sha256(b"CAMERAS").hexdigest() in str(caught.value)


def test_a_file_that_is_gone_is_named(store: ArtifactStore, artifact: S3Uri, tmp_path: Path) -> None:
    store.delete_prefix(artifact / "sparse")

    with pytest.raises(InputNotFound, match=r"sparse/cameras\.bin"):
        store.download_artifact(artifact, tmp_path / "back")


def test_an_unfinished_artifact_is_not_fetched(
    store: ArtifactStore, prefix: S3Uri, folder: Path, tmp_path: Path
) -> None:
    store.upload_directory(folder, prefix)

    with pytest.raises(InputNotFound, match="has not finished"):
        store.download_artifact(prefix, tmp_path / "back")


def test_files_are_copied_inside_the_store(
    store: ArtifactStore, artifact: S3Uri, prefix: S3Uri, folder: Path, tmp_path: Path
) -> None:
    manifest = store.read_manifest(artifact)
    assert manifest is not None

    store.copy_prefix(artifact, prefix / "copy", manifest.files)

    assert store.read_manifest(prefix / "copy") is None
    store.commit(manifest, prefix / "copy")
    store.download_artifact(prefix / "copy", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(folder)


def test_large_objects_are_copied_in_slices(
    store: ArtifactStore, prefix: S3Uri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "COPY_PART_BYTES", 5 << 20)
    (tmp_path / "big").write_bytes(os.urandom((12 << 20) + 1))
    sent = store.upload_file(tmp_path / "big", prefix / "a/big")

    store.copy_prefix(prefix / "a", prefix / "b", [sent])

    assert store.download_file(prefix / "b/big", tmp_path / "back") == replace(sent, path="back")


# Single objects --------------------------------------------------------------------------------------------


def test_ranges_are_the_bytes_asked_for(store: ArtifactStore, prefix: S3Uri) -> None:
    data = os.urandom(3 << 20)
    store.put_bytes(prefix / "x", data)

    for start, length in [
        (0, None),
        (0, 1),
        (5, 10),
        (1 << 20, 1 << 20),
        ((3 << 20) - 1, None),
        (7, 9 << 20),
    ]:
        with store.open_range(prefix / "x", start, length) as stream:
            expected = data[start:] if length is None else data[start : start + length]
            assert b"".join(stream) == expected
            assert stream.length == len(expected)


def test_chunks_are_small(store: ArtifactStore, prefix: S3Uri) -> None:
    store.put_bytes(prefix / "x", bytes(5 << 20))

    with store.open_range(prefix / "x") as stream:
        assert max(len(chunk) for chunk in stream) <= 256 << 10


def test_a_stream_can_be_left_early(store: ArtifactStore, prefix: S3Uri) -> None:
    store.put_bytes(prefix / "x", bytes(5 << 20))

    with store.open_range(prefix / "x") as stream:
        next(stream)

    assert store.get_bytes(prefix / "x", limit=5 << 20) == bytes(5 << 20)


def test_a_missing_object_shows_when_the_stream_is_opened(store: ArtifactStore, prefix: S3Uri) -> None:
    with pytest.raises(InputNotFound, match=f"{prefix}/x"):
        store.open_range(prefix / "x")


def test_a_range_beyond_the_end_is_refused(store: ArtifactStore, prefix: S3Uri) -> None:
    store.put_bytes(prefix / "x", b"abc")

    with pytest.raises(InputInvalid, match="shorter"):
        store.open_range(prefix / "x", 3)


def test_small_objects_are_replaced_and_bounded(store: ArtifactStore, prefix: S3Uri) -> None:
    store.put_bytes(prefix / "scene.json", b"1")
    store.put_bytes(prefix / "scene.json", b"22")

    assert store.get_bytes(prefix / "scene.json", limit=2) == b"22"
    with pytest.raises(InputInvalid, match="longer than the 1 bytes"):
        store.get_bytes(prefix / "scene.json", limit=1)


def test_stat_tells_size_and_a_tag_that_follows_the_content(store: ArtifactStore, prefix: S3Uri) -> None:
    store.put_bytes(prefix / "scene.json", b"1")
    first = store.stat(prefix / "scene.json")
    store.put_bytes(prefix / "scene.json", b"22")
    second = store.stat(prefix / "scene.json")

    assert (first.bytes, second.bytes) == (1, 2)
    assert first.etag != second.etag
    assert second.media_type == "application/json"


# Refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["stat", "get_bytes", "open_range"])
def test_what_is_not_there_is_named(store: ArtifactStore, prefix: S3Uri, method: str) -> None:
    with pytest.raises(InputNotFound, match=f"{prefix}/x"):
        getattr(store, method)(prefix / "x")


def test_a_missing_bucket_is_named(store: ArtifactStore) -> None:
    with pytest.raises(InputNotFound, match="s3://no-such-bucket/x"):
        store.put_bytes(S3Uri("no-such-bucket", "x"), b"1")


@pytest.mark.parametrize("wrong", ["access_key", "secret_key"])
def test_wrong_credentials_end_at_once_and_are_not_shown(object_store: StoreSettings, wrong: str) -> None:
    settings = (
        replace(object_store, access_key="wrong-access")
        if wrong == "access_key"
        else replace(object_store, secret_key="wrong-secret")
    )

    with ArtifactStore(settings) as store, pytest.raises(StorageUnavailable, match="credentials") as caught:
        store.put_bytes(store.uri("x"), b"1")

    for secret in (settings.access_key, settings.secret_key, object_store.secret_key):
        assert secret not in str(caught.value)


def test_a_store_that_is_not_there_is_named(object_store: StoreSettings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refuses every connection
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        store = ArtifactStore(replace(object_store, url=url, retry=HASTY))
        with pytest.raises(StorageUnavailable) as caught:
            store.get_bytes(store.uri("jobs/x"))

    for part in (url, "read", "s3://splatworks/jobs/x", "4 tries", "refused"):
        assert part in str(caught.value)
    assert object_store.secret_key not in str(caught.value)


# A network that misbehaves ---------------------------------------------------------------------------------


@contextmanager
def unreliable(target: str, budget: Iterator[int]) -> Iterator[str]:
    """A TCP proxy that cuts each connection after the next number of answered bytes in ``budget``."""
    host, _, port = target.removeprefix("http://").partition(":")
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def pump(source: socket.socket, sink: socket.socket, limit: float) -> None:
        try:
            while limit > 0 and (data := source.recv(65536)):
                sink.sendall(data[: int(min(limit, len(data)))])
                limit -= len(data)
        except OSError:
            return  # the other direction has closed both
        finally:
            for side in (source, sink):
                with suppress(OSError):  # closed by the other direction already
                    side.shutdown(socket.SHUT_RDWR)
                side.close()

    def serve() -> None:
        while not stopping.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((host, int(port)))
            threading.Thread(target=pump, args=(client, server, float("inf")), daemon=True).start()
            threading.Thread(target=pump, args=(server, client, next(budget)), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_a_download_goes_on_where_the_connection_broke(
    object_store: StoreSettings, store: ArtifactStore, prefix: S3Uri
) -> None:
    data = os.urandom(3 << 20)
    store.put_bytes(prefix / "x", data)
    cuts = iter([1 << 20, 100, 1 << 20, *[1 << 30] * 10])

    with unreliable(object_store.url, cuts) as url:
        through = ArtifactStore(replace(object_store, url=url, retry=HASTY))
        received = b"".join(through.open_range(prefix / "x"))

    assert received == data


def test_a_download_never_joins_two_versions(
    object_store: StoreSettings, store: ArtifactStore, prefix: S3Uri
) -> None:
    store.put_bytes(prefix / "x", bytes(3 << 20))

    with unreliable(object_store.url, iter([1 << 20, *[1 << 30] * 10])) as url:
        through = ArtifactStore(replace(object_store, url=url, retry=HASTY))
        stream = through.open_range(prefix / "x")
        next(stream)
        store.put_bytes(prefix / "x", b"\1" * (3 << 20))

        with pytest.raises(InputInvalid, match="replaced while it was read"):
            list(stream)


def test_a_commit_whose_answer_was_lost_is_known_as_its_own(
    object_store: StoreSettings, prefix: S3Uri
) -> None:
    with unreliable(object_store.url, iter([1, *[1 << 30] * 10])) as url:
        through = ArtifactStore(replace(object_store, url=url, retry=HASTY))
        commit = through.commit(make_manifest([]), prefix)

    assert commit.won


def test_a_broken_network_ends_in_storage_unavailable(
    object_store: StoreSettings, prefix: S3Uri, folder: Path
) -> None:
    with unreliable(object_store.url, iter([10] * 100)) as url:
        through = ArtifactStore(replace(object_store, url=url, retry=HASTY))
        with pytest.raises(StorageUnavailable, match="4 tries"):
            through.upload_directory(folder, prefix)
