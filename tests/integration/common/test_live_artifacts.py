"""Live artifacts in a real object store: seen while the work goes on, and never in its way."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from minio import Minio

from splatworks.v1 import common_pb2, sfm_pb2
from splatworks_common.artifacts.live import StoredLiveArtifacts, live_uri
from splatworks_common.artifacts.settings import RetryPolicy, StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.embedded_store import EmbeddedStore
from splatworks_common.live import NOTHING_LIVE
from splatworks_common.progress import Report, silent
from splatworks_common.reasons import InputInvalid, TooFewImages
from splatworks_common.stages import Metrics, Workspace, execute
from tests.integration.common.toy_stage import ToyStage


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
def live(store: ArtifactStore, output: S3Uri) -> StoredLiveArtifacts:
    return StoredLiveArtifacts(store, output, clock=Clock())


def eventually(look: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.01)


def arrived(live: StoredLiveArtifacts) -> None:
    """Returns once nothing is on its way any more."""
    eventually(lambda: live.due(-1))


def keys(store: ArtifactStore, output: S3Uri) -> list[str]:
    uri = live_uri(output)
    return [entry.key.removeprefix(uri.prefix) for entry in store.list_objects(uri)]


def test_what_was_put_is_there(store: ArtifactStore, output: S3Uri, live: StoredLiveArtifacts):
    live.put("preview.jpg", b"one")
    arrived(live)

    assert store.get_bytes(S3Uri(output.bucket, f"{output.key}.live/preview.jpg")) == b"one"


def test_the_next_of_a_name_takes_its_place(store: ArtifactStore, output: S3Uri, live: StoredLiveArtifacts):
    for data in (b"one", b"two"):
        live.put("preview.jpg", data)
        arrived(live)

    assert store.get_bytes(live.uri / "preview.jpg") == b"two"
    assert keys(store, output) == ["preview.jpg"]


def test_whoever_polls_it_gets_a_picture_and_must_ask_again(
    object_store: StoreSettings, live: StoredLiveArtifacts
):
    live.put("preview.jpg", b"one")
    arrived(live)
    client = Minio(
        object_store.url.removeprefix("http://"),
        object_store.access_key,
        object_store.secret_key,
        secure=False,
        region=object_store.region,
    )
    url = client.presigned_get_object(live.uri.bucket, f"{live.uri.key}/preview.jpg")

    with urllib.request.urlopen(url, timeout=10) as response:
        headers = response.headers

    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["ETag"]


def test_of_two_that_wait_only_the_newer_is_sent(live: StoredLiveArtifacts, monkeypatch: pytest.MonkeyPatch):
    go_on, sent = threading.Event(), []

    def slow(uri: S3Uri, data: bytes, **_: str) -> None:
        assert go_on.wait(30)
        sent.append(data)

    monkeypatch.setattr(live._impatient, "put_bytes", slow)
    live.put("preview.jpg", b"one")
    eventually(lambda: not live._waiting)
    live.put("preview.jpg", b"two")
    live.put("preview.jpg", b"three")
    go_on.set()
    arrived(live)

    assert sent == [b"one", b"three"]


def test_the_first_is_due_at_once_and_the_next_when_its_time_has_come(store: ArtifactStore, output: S3Uri):
    clock = Clock()
    live = StoredLiveArtifacts(store, output, clock=clock)
    first = live.due(5)
    live.put("preview.jpg", b"one")
    arrived(live)
    clock.now += 4
    early = live.due(5)
    clock.now += 1
    on_time = live.due(5)

    assert (first, early, on_time) == (True, False, True)


def test_nothing_is_due_while_the_last_one_is_sent(
    store: ArtifactStore, output: S3Uri, monkeypatch: pytest.MonkeyPatch
):
    clock, go_on = Clock(), threading.Event()
    live = StoredLiveArtifacts(store, output, clock=clock)
    monkeypatch.setattr(live._impatient, "put_bytes", lambda *_, **__: go_on.wait(30))
    live.put("preview.jpg", b"one")
    clock.now += 60
    meanwhile = live.due(5)
    go_on.set()

    assert not meanwhile
    eventually(lambda: live.due(5))


def test_a_name_that_leaves_the_prefix_is_refused(live: StoredLiveArtifacts):
    with pytest.raises(InputInvalid, match="segment"):
        live.put("../preview.jpg", b"one")


def test_a_store_that_goes_away_is_logged_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with EmbeddedStore(tmp_path / "store") as running:
        settings = replace(running.settings, retry=RetryPolicy(attempts=1))
        live = StoredLiveArtifacts(ArtifactStore(settings), S3Uri(settings.bucket, "jobs/1/gaussian"))
        live.put("preview.jpg", b"one")
        arrived(live)
        before = list(caplog.messages)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            live.put("preview.jpg", b"two")
            arrived(live)
        live.discard()

    assert before == []
    assert ["can not be shown" in message for message in caplog.messages] == [True, False]
    assert "could not be deleted" in caplog.messages[1]


def test_an_error_that_nobody_foresaw_is_logged_once_and_stops_no_later_picture(
    store: ArtifactStore,
    live: StoredLiveArtifacts,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr(live._impatient, "put_bytes", broken)
        for _ in range(2):
            live.put("preview.jpg", b"one")
            arrived(live)
    live.put("preview.jpg", b"two")
    arrived(live)

    assert ["no such luck" in message for message in caplog.messages] == [True]
    assert caplog.records[0].exc_info is not None
    assert store.get_bytes(live.uri / "preview.jpg") == b"two"


def test_a_store_that_never_answers_does_not_hold_up_what_is_finished(
    live: StoredLiveArtifacts, monkeypatch: pytest.MonkeyPatch
):
    go_on = threading.Event()
    monkeypatch.setattr(live._impatient, "put_bytes", lambda *_, **__: go_on.wait(60))
    monkeypatch.setattr("splatworks_common.artifacts.live.LAST_SECONDS", 0.05)
    live.put("preview.jpg", b"one")
    eventually(lambda: not live._waiting)

    live.discard()

    assert not live.due(-1), "the file is still on its way"
    go_on.set()


def test_nothing_is_left_once_it_is_discarded(store: ArtifactStore, output: S3Uri, live: StoredLiveArtifacts):
    for name in ("preview.jpg", "curve.json"):
        live.put(name, b"one")

    live.discard()

    assert keys(store, output) == []


def test_work_without_a_store_is_never_asked_for_a_picture():
    assert not NOTHING_LIVE.due(0)


class ShowingStage(ToyStage):
    """A stage that ends once what it shows can be seen, in the way that ``ending`` says."""

    def __init__(self, store: ArtifactStore, ending: str = "well") -> None:
        self._store = store
        self._ending = ending
        self.seen: list[str] = []

    def work(self, request: sfm_pb2.ReconstructRequest, workspace: Workspace, report: Report) -> Metrics:
        output = S3Uri.parse(request.output_uri)
        assert workspace.live.due(5)
        workspace.live.put("preview.jpg", b"one")
        eventually(lambda: keys(self._store, output) != [])
        self.seen = keys(self._store, output)
        if self._ending == "badly":
            raise TooFewImages("Only 2 photos are usable.")
        (workspace.output / "names.txt").write_text("a.jpg")
        return {"total_images": 1}


@pytest.fixture
def request_for(store: ArtifactStore, prefix: S3Uri) -> Callable[[S3Uri], sfm_pb2.ReconstructRequest]:
    """Makes requests that find what any of them has finished in the cache, and nothing else there."""
    store.put_bytes(prefix / "photos/a.jpg", prefix.key.encode())

    def make(output: S3Uri) -> sfm_pb2.ReconstructRequest:
        return sfm_pb2.ReconstructRequest(
            photos_uri=str(prefix / "photos"),
            output_uri=str(output),
            cache_policy=common_pb2.CACHE_POLICY_REUSE,
        )

    return make


def run(stage: ToyStage, request: sfm_pb2.ReconstructRequest, store: ArtifactStore, scratch: Path) -> None:
    execute(stage, request, store, scratch=scratch, threads=1, report=silent, stopping=threading.Event())


def test_a_finished_output_neither_names_nor_keeps_what_was_shown(
    store: ArtifactStore,
    output: S3Uri,
    request_for: Callable[..., sfm_pb2.ReconstructRequest],
    tmp_path: Path,
):
    stage = ShowingStage(store)

    run(stage, request_for(output), store, tmp_path / "work")

    manifest = store.read_manifest(output)
    assert manifest is not None
    assert [file.path for file in manifest.files] == ["names.txt"]
    assert (stage.seen, keys(store, output)) == (["preview.jpg"], [])


def test_work_that_fails_leaves_its_last_picture_and_the_next_attempt_takes_it_away(
    store: ArtifactStore,
    output: S3Uri,
    request_for: Callable[..., sfm_pb2.ReconstructRequest],
    tmp_path: Path,
):
    with pytest.raises(TooFewImages):
        run(ShowingStage(store, "badly"), request_for(output), store, tmp_path / "1")
    left = keys(store, output)
    run(ShowingStage(store), request_for(output), store, tmp_path / "2")

    assert (left, keys(store, output)) == (["preview.jpg"], [])


@pytest.mark.parametrize("ending", ["well", "badly"])
def test_its_connections_are_closed_however_the_work_ends(
    store: ArtifactStore,
    output: S3Uri,
    request_for: Callable[..., sfm_pb2.ReconstructRequest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
):
    closed = []
    monkeypatch.setattr(StoredLiveArtifacts, "close", lambda live: closed.append(live.uri))

    with contextlib.suppress(TooFewImages):
        run(ShowingStage(store, ending), request_for(output), store, tmp_path / "work")

    assert closed == [live_uri(output)]


def test_what_is_shown_late_damages_neither_a_finished_output_nor_its_cache(
    store: ArtifactStore,
    prefix: S3Uri,
    output: S3Uri,
    request_for: Callable[..., sfm_pb2.ReconstructRequest],
    tmp_path: Path,
):
    run(ShowingStage(store), request_for(output), store, tmp_path / "1")
    late = StoredLiveArtifacts(store, output)
    late.put("preview.jpg", b"of an attempt that was given up")
    arrived(late)

    again = ShowingStage(store)
    run(again, request_for(prefix / "again"), store, tmp_path / "2")

    assert again.seen == []
    store.download_artifact(output, tmp_path / "whole")
