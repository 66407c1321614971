"""``splatworks-store`` as a process: what leaves loopback, over what, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from splatworks_common.artifacts.settings import RetryPolicy, StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.reasons import StorageUnavailable
from tests.certificates import Authority, Files

ACCESS, SECRET = "test-access-key", "test-secret-key"
SECONDS = 60


class StoreProcess:
    """A running ``splatworks-store`` and the port it told."""

    def __init__(self, folder: Path, *options: object) -> None:
        (folder / "access").write_text(f"{ACCESS}\n")
        (folder / "secret").write_text(f"{SECRET}\n")
        self.data = folder / "data"
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command(folder, "--data", self.data, *options), stderr=log)
        self.port = int(self.wait_for(r'"listening for s3", "address": "[^"]*:(\d+)"'))

    def wait_for(self, pattern: str) -> str:
        """The group of the first match in the log."""
        deadline = time.monotonic() + SECONDS
        while (found := re.search(pattern, self.log.read_text())) is None:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"no {pattern} in {self.log.read_text()}"
            time.sleep(0.02)
        return found[1]

    def settings(self, url: str, *, ca: Path | None = None, secret: str = SECRET) -> StoreSettings:
        return StoreSettings(
            url=f"{url}:{self.port}",
            access_key=ACCESS,
            secret_key=secret,
            ca_file=ca,
            retry=RetryPolicy(attempts=1),
        )

    def weed(self) -> psutil.Process:
        for child in psutil.Process(self.process.pid).children(recursive=True):
            if child.name() == "weed":
                return child
        raise AssertionError("no SeaweedFS below the server")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(SECONDS)


def command(folder: Path, *options: object) -> Sequence[str]:
    keys = ["--access-key-file", str(folder / "access"), "--secret-key-file", str(folder / "secret")]
    return [sys.executable, "-m", "splatworks_common.store_server", *keys, *map(str, options)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Files:
    return authority.issue("store", ["localhost"])


@pytest.fixture(scope="module")
def secured(certificate: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    folder = tmp_path_factory.mktemp("secured")
    tls = ["--tls-cert", certificate.cert, "--tls-key", certificate.key]
    store = StoreProcess(folder, "--listen", "0.0.0.0:0", *tls)
    yield store
    store.close()


def test_objects_pass_through_tls(secured: StoreProcess, authority: Authority, tmp_path: Path) -> None:
    content = os.urandom(12 << 20)
    (tmp_path / "sent").write_bytes(content)

    with ArtifactStore(secured.settings("https://localhost", ca=authority.file)) as artifacts:
        artifacts.upload_file(tmp_path / "sent", artifacts.uri("some/object"))
        artifacts.download_file(artifacts.uri("some/object"), tmp_path / "received")

    assert (tmp_path / "received").read_bytes() == content


def test_another_secret_key_is_refused(secured: StoreProcess, authority: Authority) -> None:
    settings = secured.settings("https://localhost", ca=authority.file, secret="another")

    with ArtifactStore(settings) as artifacts, pytest.raises(StorageUnavailable):
        artifacts.get_bytes(artifacts.uri("some/object"))


def test_plain_http_gets_no_answer(secured: StoreProcess) -> None:
    with ArtifactStore(secured.settings("http://127.0.0.1")) as artifacts, pytest.raises(StorageUnavailable):
        artifacts.get_bytes(artifacts.uri("some/object"))


def test_only_the_s3_port_leaves_loopback(secured: StoreProcess) -> None:
    beyond = {
        (process.name() == "weed", connection.laddr.port)
        for process in [
            psutil.Process(secured.process.pid),
            *psutil.Process(secured.process.pid).children(recursive=True),
        ]
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.ip != "127.0.0.1"
    }

    assert beyond == {(False, secured.port)}


def test_a_replaced_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "old", "old"), Authority(tmp_path / "new", "new")
    files = old.issue("store", ["localhost"])
    tls = ["--tls-cert", files.cert, "--tls-key", files.key]
    store = StoreProcess(tmp_path, "--listen", "127.0.0.1:0", *tls)
    try:
        replacement = new.issue("store", ["localhost"])
        files.key.write_bytes(replacement.key.read_bytes())  # for a moment they do not fit
        with ArtifactStore(store.settings("https://localhost", ca=old.file)) as artifacts:
            artifacts.put_bytes(artifacts.uri("x"), b"old")
        files.cert.write_bytes(replacement.cert.read_bytes())
        with ArtifactStore(store.settings("https://localhost", ca=new.file)) as artifacts:
            assert artifacts.get_bytes(artifacts.uri("x")) == b"old"
    finally:
        store.close()


def test_it_stops_in_order_and_keeps_what_it_was_given(tmp_path: Path) -> None:
    first = StoreProcess(tmp_path, "--listen", "127.0.0.1:0")
    weed = first.weed()
    with ArtifactStore(first.settings("http://127.0.0.1")) as artifacts:
        artifacts.put_bytes(artifacts.uri("kept"), b"kept")

    first.process.send_signal(signal.SIGTERM)

    assert first.process.wait(SECONDS) == 0
    assert not weed.is_running()
    second = StoreProcess(tmp_path, "--listen", "127.0.0.1:0")
    with ArtifactStore(second.settings("http://127.0.0.1")) as artifacts:
        assert artifacts.get_bytes(artifacts.uri("kept")) == b"kept"
    second.close()


def test_it_ends_with_an_error_when_seaweedfs_does(tmp_path: Path) -> None:
    store = StoreProcess(tmp_path, "--listen", "127.0.0.1:0")

    store.weed().kill()

    assert store.process.wait(SECONDS) == 1
    assert "SeaweedFS has ended by itself" in store.log.read_text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--listen", "0.0.0.0:0"], "0.0.0.0:0 leaves this machine; missing: --tls-cert, --tls-key"),
        (["--listen", "127.0.0.1:0", "--tls-cert", "x"], "used only together; missing: --tls-key"),
        (["--listen", "0.0.0.0:0", "--tls-cert", "/no", "--tls-key", "/no"], "/no can not be read"),
        (["--listen", "somewhere"], "'somewhere' is not an address"),
        (["--listen", "127.0.0.1:0", "--access-key-file", "/no"], "/no can not be read (FileNotFoundError)"),
        (["--listen", "127.0.0.1:0", "--secret-key-file", "/dev/null"], "/dev/null is empty"),
    ],
)
def test_what_can_not_work_is_told_before_anything_starts(
    tmp_path: Path, options: Sequence[str], told: str
) -> None:
    (tmp_path / "access").write_text(ACCESS)
    (tmp_path / "secret").write_text(SECRET)

    done = subprocess.run(
        command(tmp_path, "--data", tmp_path / "data", *options),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )

    assert done.returncode
    assert told in " ".join(done.stderr.split())
    assert not (tmp_path / "data").exists()
