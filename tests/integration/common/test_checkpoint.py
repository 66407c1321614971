"""Checkpoints in a real object store."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from splatworks_common.artifacts.checkpoint import StoredCheckpoint, Work, checkpoint_uri
from splatworks_common.artifacts.settings import RetryPolicy, StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import Preempted, StorageUnavailable

WORK = Work("train", "1", "a" * 64)
Attempt = Callable[..., StoredCheckpoint]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def output(prefix: S3Uri) -> S3Uri:
    return prefix / "gaussian"


@pytest.fixture
def attempt(store: ArtifactStore, output: S3Uri, tmp_path: Path) -> Attempt:
    """Makes the checkpoint of one more attempt at the same output."""
    count = 0

    def make(work: Work = WORK, **given) -> StoredCheckpoint:
        nonlocal count
        count += 1
        given = {"stopping": threading.Event(), "store": store, **given}
        return StoredCheckpoint(
            given["store"],
            output,
            work,
            tmp_path / str(count),
            given["stopping"],
            clock=given.get("clock", Clock()),
        )

    return make


def writes(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "state.json").write_text(text)
        (folder / "engine.means.npy").write_bytes(text.encode() * 100)

    return write


def save(checkpoint: StoredCheckpoint, text: str, ending: str = "is kept") -> None:
    """Saves, and returns when that is stored: at a stop the worker waits for it."""
    checkpoint._stopping.set()
    with pytest.raises(Preempted, match=ending):
        checkpoint.save(writes(text))


def keys(store: ArtifactStore, output: S3Uri) -> list[str]:
    uri = checkpoint_uri(output)
    return [entry.key.removeprefix(uri.prefix) for entry in store.list_objects(uri)]


def test_there_is_nothing_to_load_at_first(attempt: Attempt):
    assert attempt().load() is None


def test_the_next_attempt_finds_what_was_saved(attempt: Attempt):
    save(attempt(), "one")

    folder = attempt().load()

    assert folder is not None
    assert sorted(path.name for path in folder.iterdir()) == ["engine.means.npy", "state.json"]
    assert (folder / "state.json").read_text() == "one"


def test_a_save_takes_the_place_of_the_one_before(attempt: Attempt, store: ArtifactStore, output: S3Uri):
    checkpoint = attempt()
    save(checkpoint, "one")
    save(checkpoint, "two")

    folder = attempt().load()

    assert folder is not None
    assert (folder / "state.json").read_text() == "two"
    assert len(keys(store, output)) == 3


def test_what_an_upload_that_was_cut_short_left_goes_with_the_next_save(
    attempt: Attempt, store: ArtifactStore, output: S3Uri
):
    store.put_bytes(checkpoint_uri(output) / "half/state.json", b"half")

    save(attempt(), "one")

    assert not [key for key in keys(store, output) if key.startswith("half/")]


def test_a_save_that_is_cut_short_leaves_the_one_before(
    attempt: Attempt, store: ArtifactStore, output: S3Uri, monkeypatch: pytest.MonkeyPatch
):
    save(attempt(), "one")

    def refuse(uri: S3Uri, data: bytes) -> None:
        raise StorageUnavailable("The store is gone.")

    with ArtifactStore(store.settings) as failing:
        monkeypatch.setattr(failing, "put_bytes", refuse)
        save(attempt(store=failing), "two", "could not be kept")
    folder = attempt().load()

    assert folder is not None
    assert (folder / "state.json").read_text() == "one"


@pytest.mark.parametrize(
    "other",
    [replace(WORK, stage="sfm"), replace(WORK, stage_version="2"), replace(WORK, input_digest="b" * 64)],
    ids=["stage", "version", "digest"],
)
def test_the_checkpoint_of_other_work_is_not_used(
    attempt: Attempt, other: Work, caplog: pytest.LogCaptureFixture
):
    save(attempt(other), "one")

    assert attempt().load() is None
    assert "of other work" in caplog.text


def damage(store: ArtifactStore, uri: S3Uri) -> None:
    """Other bytes, of the same number."""
    store.put_bytes(uri, b"x" * store.stat(uri).bytes)


def cut(store: ArtifactStore, uri: S3Uri) -> None:
    store.put_bytes(uri, b"")


def delete(store: ArtifactStore, uri: S3Uri) -> None:
    """The object and those beside it."""
    store.delete_prefix(S3Uri(uri.bucket, uri.key.rpartition("/")[0]))


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (damage, "state.json"),
        (cut, "state.json"),
        (delete, "state.json"),
        (damage, "manifest.json"),
        (cut, "manifest.json"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_not_used(
    attempt: Attempt,
    store: ArtifactStore,
    output: S3Uri,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[ArtifactStore, S3Uri], None],
    name: str,
):
    save(attempt(), "one")
    [key] = [key for key in keys(store, output) if key.endswith(name)]
    spoil(store, checkpoint_uri(output) / key)

    assert attempt().load() is None
    assert "can not be used" in caplog.text


def test_a_store_that_does_not_answer_is_no_reason_to_begin_anew(
    attempt: Attempt, object_store: StoreSettings
):
    nowhere = replace(object_store, url="http://127.0.0.1:1", retry=RetryPolicy(attempts=1))
    with ArtifactStore(nowhere) as store, pytest.raises(StorageUnavailable):
        attempt(store=store).load()


def test_a_save_that_can_not_be_stored_is_logged_and_the_work_goes_on(
    attempt: Attempt, object_store: StoreSettings, caplog: pytest.LogCaptureFixture
):
    nowhere = replace(object_store, url="http://127.0.0.1:1", retry=RetryPolicy(attempts=1))
    with ArtifactStore(nowhere) as store, caplog.at_level(logging.WARNING):
        checkpoint = attempt(store=store)
        checkpoint.save(writes("one"))
        checkpoint.discard()

    assert "could not be stored" in caplog.text


def test_a_save_that_can_not_be_written_is_logged_and_the_work_goes_on(
    attempt: Attempt, caplog: pytest.LogCaptureFixture
):
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    attempt().save(full)

    assert "No space left" in caplog.text
    assert attempt().load() is None


def test_a_save_is_due_when_its_time_has_come_since_the_last(attempt: Attempt):
    clock = Clock()
    checkpoint = attempt(clock=clock)
    clock.now += 29
    early = checkpoint.due(30)
    clock.now += 1
    on_time = checkpoint.due(30)
    checkpoint.save(writes("one"))
    again = checkpoint.due(30)

    assert (early, on_time, again) == (False, True, False)


def test_no_save_is_due_while_the_last_one_is_uploaded(
    attempt: Attempt, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
):
    go_on = threading.Event()
    upload_directory = store.upload_directory

    def slow(local: Path, uri: S3Uri):
        assert go_on.wait(30)
        return upload_directory(local, uri)

    monkeypatch.setattr(store, "upload_directory", slow)
    clock = Clock()
    checkpoint = attempt(clock=clock)
    checkpoint.save(writes("one"))
    clock.now += 60
    meanwhile = checkpoint.due(30)
    go_on.set()
    checkpoint._wait()

    assert not meanwhile
    assert checkpoint.due(30)


def test_a_save_is_due_at_once_when_the_worker_is_stopping(attempt: Attempt):
    stopping = threading.Event()
    checkpoint = attempt(stopping=stopping)
    stopping.set()

    assert checkpoint.due(3600)


def test_the_time_of_earlier_attempts_counts(attempt: Attempt):
    clock = Clock()
    first = attempt(clock=clock)
    clock.now += 40
    save(first, "one")
    second = attempt(clock=clock)
    second.load()
    clock.now += 5
    save(second, "two")
    third = attempt(clock=clock)
    third.load()

    assert (second.seconds_before, third.seconds_before) == (40, 45)


def test_nothing_is_left_once_it_is_discarded(attempt: Attempt, store: ArtifactStore, output: S3Uri):
    checkpoint = attempt()
    checkpoint.save(writes("one"))

    checkpoint.discard()

    assert keys(store, output) == []
