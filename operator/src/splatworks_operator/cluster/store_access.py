"""The object store as a person reaches it: by the environment, by flags, or by a Secret of the cluster.

Keys are never printed, and never taken from the command line, where other people's eyes are. What a Secret
holds is used while the store is open, and kept nowhere.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from splatworks_common.artifacts.settings import RetryPolicy, StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.reasons import InputInvalid
from splatworks_operator.cluster.connection import Connection
from splatworks_operator.cluster.errors import ClusterError
from splatworks_operator.cluster.refusals import Asked

_PREFIX = "SPLATWORKS_STORE_"
_KEYS = {"access-key": "ACCESS_KEY", "secret-key": "SECRET_KEY"}
_AUTHORITY = "ca.crt"
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}
_PATIENCE = RetryPolicy(seconds=10.0)
"""Somebody waits at the keyboard."""


@dataclass(frozen=True)
class StoreAccess:
    """What a person said about the object store; None leaves it to the environment.

    Attributes:
        url: Where the store answers this machine.
        bucket: The bucket.
        secret: "NAME" or "NAMESPACE/NAME" of the Secret with the keys, and perhaps with the authority of the
            store's certificate.
    """

    url: str | None = None
    bucket: str | None = None
    secret: str | None = None

    @property
    def bucket_name(self) -> str:
        """The bucket, known before anything is asked."""
        return self.bucket or os.environ.get(f"{_PREFIX}BUCKET") or StoreSettings.bucket


@asynccontextmanager
async def open_store(access: StoreAccess, connection: Connection | None) -> AsyncIterator[ArtifactStore]:
    """The store, for as long as the context lasts.

    Args:
        access: What the person said.
        connection: To the cluster; needed only for a Secret.

    Raises:
        ClusterError: Something is missing, or the Secret can not be read.
    """
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="splatworks-store-") as scratch:
        if access.secret is not None:
            assert connection is not None, "a Secret is somewhere"
            for name in _KEYS.values():
                environment.pop(f"{_PREFIX}{name}_FILE", None)
            environment |= await _from_secret(access.secret, connection, Path(scratch))
        if access.url is not None:
            environment[f"{_PREFIX}URL"] = access.url
        environment[f"{_PREFIX}BUCKET"] = access.bucket_name
        try:
            settings = replace(StoreSettings.from_environment(environment), retry=_PATIENCE)
        except InputInvalid as error:
            raise ClusterError(
                f"{error}. Set {_PREFIX}URL, {_PREFIX}ACCESS_KEY and {_PREFIX}SECRET_KEY, or give "
                "--store-url and --store-secret. The store of a cluster is reached with 'kubectl "
                "port-forward'."
            ) from error
        _check_authority(settings, access)
        with ArtifactStore(settings) as store:
            yield store


async def _from_secret(secret: str, connection: Connection, folder: Path) -> dict[str, str]:
    """What the Secret says, as variables; the authority goes into a file in ``folder``."""
    namespace, _, name = secret.rpartition("/")
    asked = Asked("get", "secrets", namespace or connection.namespace, name)
    data: Mapping[str, str] = (await connection.request("GET", asked)).get("data") or {}
    if missing := [key for key in _KEYS if key not in data]:
        raise ClusterError(
            f"The Secret {name} in {asked.place} has no {' and no '.join(missing)}: name another."
        )
    said = {f"{_PREFIX}{name}": base64.b64decode(data[key]).decode() for key, name in _KEYS.items()}
    if _AUTHORITY in data:
        file = folder / _AUTHORITY
        file.write_bytes(base64.b64decode(data[_AUTHORITY]))
        said[f"{_PREFIX}CA_FILE"] = str(file)
    return said


def _check_authority(settings: StoreSettings, access: StoreAccess) -> None:
    """Tells early what a forwarded port can not do without: no public authority vouches for this machine.

    Raises:
        ClusterError: The authority of the store's certificate is not known.
    """
    url = urlsplit(settings.url)
    if url.scheme != "https" or settings.ca_file is not None or url.hostname not in _THIS_MACHINE:
        return
    why = f": the Secret {access.secret} has no {_AUTHORITY}" if access.secret else ""
    raise ClusterError(
        f"Nothing says who signed the certificate of {settings.url}{why}. Set {_PREFIX}CA_FILE to a file "
        "with that authority; an embedded store's is in the Secret splatworks-store-tls: kubectl -n "
        "splatworks get secret splatworks-store-tls -o jsonpath='{.data.ca\\.crt}' | base64 -d > store-ca.crt"
    )
