"""etcd and kube-apiserver from a folder of binaries, as Kubernetes' own test suites use them.

That folder is ``KUBEBUILDER_ASSETS`` by convention. There are no controllers: nothing starts pods, removes
the contents of a namespace or collects garbage. Both processes listen on loopback and end with the context.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_START_SECONDS = 60
_END_SECONDS = 10


@contextmanager
def control_plane(binaries: Path, folder: Path) -> Iterator[Path]:
    """A running API server for as long as the context lasts; gives its administrator's kubeconfig.

    Args:
        binaries: The folder of etcd and kube-apiserver.
        folder: Where they may put what they own; a folder that does not exist yet.
    """
    folder.mkdir(mode=0o700)
    port, client, peer = _free_ports(3)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    (folder / "accounts.key").write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        )
    )
    with ExitStack() as processes:
        etcd = [
            *(binaries / "etcd", "--name=test", f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync"),
            *(f"--{kind}-client-urls=http://127.0.0.1:{client}" for kind in ("listen", "advertise")),
            *(f"--{kind}-peer-urls=http://127.0.0.1:{peer}" for kind in ("listen", "initial-advertise")),
            f"--initial-cluster=test=http://127.0.0.1:{peer}",
        ]
        processes.enter_context(_running(etcd, folder / "etcd.log"))
        server = [
            *(binaries / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{client}"),
            *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={port}"),
            *("--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16"),
            *(f"--cert-dir={folder / 'certificates'}", f"--token-auth-file={folder / 'tokens.csv'}"),
            *("--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount"),
            "--service-account-issuer=https://kubernetes.default.svc",
            *(f"--service-account-{use}-file={folder / 'accounts.key'}" for use in ("key", "signing-key")),
        ]
        process = processes.enter_context(_running(server, folder / "kube-apiserver.log"))
        certificate = folder / "certificates" / "apiserver.crt"
        _wait_until_ready(process, port, token, certificate, folder / "kube-apiserver.log")
        yield _write_kubeconfig(folder / "kubeconfig", port, token, certificate)


@contextmanager
def _running(command: Sequence[object], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*map(str, command)], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(
    process: subprocess.Popen[bytes], port: int, token: str, certificate: Path, log: Path
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not (certificate.exists() and _is_ready(port, token, certificate)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"kube-apiserver did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _is_ready(port: int, token: str, certificate: Path) -> bool:
    try:
        trusted = ssl.create_default_context(cafile=certificate)
        with closing(HTTPSConnection("127.0.0.1", port, context=trusted, timeout=5)) as connection:
            connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {token}"})
            return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False


def _write_kubeconfig(path: Path, port: int, token: str, certificate: Path) -> Path:
    cluster = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority-data": b64encode(certificate.read_bytes()).decode(),
    }
    context = {"cluster": "test", "user": "admin", "namespace": "default"}
    path.touch(mode=0o600)
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": "admin", "user": {"token": token}}],
                "contexts": [{"name": "test", "context": context}],
                "current-context": "test",
            }
        )
    )
    return path


def _free_ports(count: int) -> list[int]:
    with ExitStack() as sockets:
        listeners = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]
