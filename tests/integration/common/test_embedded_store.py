"""The embedded store: it starts alone, keeps its data, and leaves nothing running."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from splatworks_common import embedded_store
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.embedded_store import EmbeddedStore
from splatworks_common.reasons import StorageUnavailable


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedStore, Path]]:
    data = tmp_path_factory.mktemp("embedded") / "store"
    with EmbeddedStore(data) as store:
        yield store, data


def weed_of(store: EmbeddedStore) -> psutil.Process:
    assert store.pid is not None
    return psutil.Process(store.pid).children()[0]


def test_it_listens_on_loopback_only(running: tuple[EmbeddedStore, Path]) -> None:
    store, _ = running

    addresses = {
        connection.laddr.ip
        for connection in weed_of(store).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses == {"127.0.0.1"}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_port_gives_or_takes_an_object_without_a_secret(
    running: tuple[EmbeddedStore, Path], method: str
) -> None:
    store, _ = running
    with ArtifactStore(store.settings) as artifacts:
        artifacts.put_bytes(artifacts.uri("jobs/private.json"), b"private")
        ports = {
            connection.laddr.port
            for connection in weed_of(store).net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        }
        answers = [
            _ask(port, f"/buckets/{store.settings.bucket}/jobs/private.json", method) for port in ports
        ]
        kept = artifacts.get_bytes(artifacts.uri("jobs/private.json"))

    assert not [answer for answer in answers if b"private" in answer]
    assert kept == b"private"


def _ask(port: int, path: str, method: str) -> bytes:
    """What a page in a browser on this machine would get: no credentials, an origin of its own."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        method=method,
        data=b"changed" if method == "POST" else None,
        headers={"Origin": "http://evil.example"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())
    except (OSError, http.client.HTTPException):
        return b""


def test_credentials_and_data_are_for_the_owner_only(running: tuple[EmbeddedStore, Path]) -> None:
    _, data = running

    assert stat.S_IMODE((data / "s3.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_credentials_are_not_on_the_command_line(running: tuple[EmbeddedStore, Path]) -> None:
    store, _ = running

    line = " ".join(weed_of(store).cmdline())

    assert store.settings.access_key not in line
    assert store.settings.secret_key not in line


def test_a_fresh_store_takes_little_disk(running: tuple[EmbeddedStore, Path]) -> None:
    _, data = running

    assert sum(path.stat().st_blocks * 512 for path in data.rglob("*")) < 16 << 20


def test_a_second_store_in_the_same_folder_is_refused(running: tuple[EmbeddedStore, Path]) -> None:
    _, data = running

    with pytest.raises(StorageUnavailable, match=f"is in use by process {os.getpid()}"):
        EmbeddedStore(data).start()


def test_two_stores_run_side_by_side(running: tuple[EmbeddedStore, Path], data: Path) -> None:
    first, _ = running

    with EmbeddedStore(data) as second:
        assert second.settings.url != first.settings.url
        ArtifactStore(second.settings).put_bytes(ArtifactStore(second.settings).uri("x"), b"second")

    objects = ArtifactStore(first.settings).list_objects(ArtifactStore(first.settings).uri(""))
    assert "x" not in [entry.key for entry in objects]


def write_many(store: EmbeddedStore, name: str) -> None:
    with ArtifactStore(store.settings) as artifacts:
        for number in range(20):
            artifacts.put_bytes(artifacts.uri(f"{name}/{number}"), f"{name} {number}".encode() * 1000)


def assert_has(store: EmbeddedStore, name: str) -> None:
    with ArtifactStore(store.settings) as artifacts:
        for number in range(20):
            assert (
                artifacts.get_bytes(artifacts.uri(f"{name}/{number}")) == f"{name} {number}".encode() * 1000
            )


def test_data_survives_other_ports_and_other_credentials(data: Path) -> None:
    with EmbeddedStore(data) as first:
        write_many(first, "first")
    with EmbeddedStore(data) as second:
        write_many(second, "second")
    with EmbeddedStore(data) as third:
        assert_has(third, "first")
        assert_has(third, "second")

    assert len({store.settings.secret_key for store in (first, second, third)}) == 3
    assert first.settings.url != third.settings.url


def test_data_survives_a_kill(data: Path) -> None:
    with EmbeddedStore(data) as first:
        write_many(first, "first")
        weed_of(first).kill()
    with EmbeddedStore(data) as second:
        write_many(second, "second")
        assert_has(second, "first")


def test_the_same_object_comes_back_under_the_same_settings(data: Path) -> None:
    with EmbeddedStore(data) as store:
        before = store.settings
        write_many(store, "first")
        store.stop()
        assert store.pid is None
        assert store.start() == before
        assert_has(store, "first")


def test_a_lost_race_for_a_port_is_run_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [embedded_store._free_ports(), embedded_store._free_ports()]
    remaining = iter(chosen)
    monkeypatch.setattr(embedded_store, "_free_ports", lambda: next(remaining))

    with socket.create_server(("127.0.0.1", chosen[0][2])), EmbeddedStore(data) as store:
        assert store.settings.url == f"http://127.0.0.1:{chosen[1][0]}"


def test_a_port_that_was_taken_meanwhile_is_told(data: Path) -> None:
    store = EmbeddedStore(data)
    store.start()
    store.stop()
    port = int(store.settings.url.rpartition(":")[2])

    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(StorageUnavailable, match="took one of its ports"),
    ):
        store.start()


def test_a_store_that_cannot_start_tells_its_log(data: Path) -> None:
    data.mkdir()
    (data / "objects").mkdir()
    (data / "objects" / "filerldb2").write_text("in the way")

    with pytest.raises(StorageUnavailable, match="its log ends"):
        EmbeddedStore(data).start()


def test_stopping_is_final_and_can_be_repeated(data: Path) -> None:
    store = EmbeddedStore(data)
    store.start()
    weed = weed_of(store)

    store.stop()
    store.stop()

    assert not weed.is_running()
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{store.settings.url.rpartition(':')[2]}.sock"))


HOLDER = """
import sys, threading
from pathlib import Path
from splatworks_common.embedded_store import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]))
store.start()
print(store.pid, flush=True)
threading.Event().wait()
"""


def test_the_store_does_not_outlive_a_killed_owner_and_can_start_again(data: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", HOLDER, str(data)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    tether = psutil.Process(int(owner.stdout.readline()))
    weed = tether.children()[0]

    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    with EmbeddedStore(data) as successor:  # waits for the old one to stop
        assert has_ended(weed)
        write_many(successor, "second")

    assert has_ended(tether)


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more; whoever inherited it may take its time to bury it."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_an_upload_survives_ten_seconds_without_the_store(data: Path, tmp_path: Path) -> None:
    (tmp_path / "result").mkdir()
    for number in range(6):
        (tmp_path / "result" / f"{number}.bin").write_bytes(os.urandom(12 << 20))
    halfway = threading.Event()

    def listen(done: int, total: int) -> None:
        if done > total / 3:
            halfway.set()

    with EmbeddedStore(data) as store, ArtifactStore(store.settings) as artifacts:

        def interrupt() -> None:
            halfway.wait()
            weed_of(store).kill()
            store.stop()
            threading.Event().wait(10)
            store.start()

        saboteur = threading.Thread(target=interrupt)
        saboteur.start()
        files = artifacts.upload_directory(tmp_path / "result", artifacts.uri("jobs/x"), on_progress=listen)
        saboteur.join()
        received = artifacts.download_directory(artifacts.uri("jobs/x"), tmp_path / "back")

    assert received == files


def test_an_upload_survives_a_store_that_hangs(data: Path, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(os.urandom(40 << 20))
    with EmbeddedStore(data) as store, ArtifactStore(store.settings) as artifacts:
        weed = weed_of(store)
        hung = threading.Event()

        def listen(done: int, total: int) -> None:
            if not hung.is_set():
                hung.set()
                weed.suspend()
                threading.Timer(10, weed.resume).start()

        sent = artifacts.upload_file(tmp_path / "big.bin", artifacts.uri("big.bin"), on_progress=listen)
        received = artifacts.download_file(artifacts.uri("big.bin"), tmp_path / "back.bin")

    assert received.sha256 == sent.sha256
