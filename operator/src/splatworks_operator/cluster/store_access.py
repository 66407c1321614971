"""The object store as a person reaches it: by the environment, by flags, or by a Secret of the cluster.

Keys are never printed, and never taken from the command line, where other people's eyes are.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from splatworks_common.artifacts.settings import RetryPolicy, StoreSettings
from splatworks_common.reasons import InputInvalid
from splatworks_operator.cluster.connection import Connection
from splatworks_operator.cluster.errors import ClusterError
from splatworks_operator.cluster.refusals import Asked

_PREFIX = "SPLATWORKS_STORE_"
_KEYS = {"access-key": "ACCESS_KEY", "secret-key": "SECRET_KEY"}
_PATIENCE = RetryPolicy(seconds=10.0)
"""Somebody waits at the keyboard."""


@dataclass(frozen=True)
class StoreAccess:
    """What a person said about the object store; None leaves it to the environment.

    Attributes:
        url: Where the store answers this machine.
        bucket: The bucket.
        secret: "NAME" or "NAMESPACE/NAME" of the Secret with the keys.
    """

    url: str | None = None
    bucket: str | None = None
    secret: str | None = None

    @property
    def bucket_name(self) -> str:
        """The bucket, known before anything is asked."""
        return self.bucket or os.environ.get(f"{_PREFIX}BUCKET") or StoreSettings.bucket


async def store_settings(access: StoreAccess, connection: Connection) -> StoreSettings:
    """The settings of the store.

    Raises:
        ClusterError: Something is missing, or the Secret can not be read.
    """
    environment = dict(os.environ)
    if access.secret is not None:
        for name in _KEYS.values():
            environment.pop(f"{_PREFIX}{name}_FILE", None)
        environment |= await _keys(access.secret, connection)
    if access.url is not None:
        environment[f"{_PREFIX}URL"] = access.url
    environment[f"{_PREFIX}BUCKET"] = access.bucket_name
    try:
        return replace(StoreSettings.from_environment(environment), retry=_PATIENCE)
    except InputInvalid as error:
        raise ClusterError(
            f"{error}. Set {_PREFIX}URL, {_PREFIX}ACCESS_KEY and {_PREFIX}SECRET_KEY, or give --store-url "
            "and --store-secret. The store of a cluster is reached with 'kubectl port-forward'."
        ) from error


async def _keys(secret: str, connection: Connection) -> dict[str, str]:
    namespace, _, name = secret.rpartition("/")
    asked = Asked("get", "secrets", namespace or connection.namespace, name)
    data: Mapping[str, str] = (await connection.request("GET", asked)).get("data") or {}
    if missing := [key for key in _KEYS if key not in data]:
        raise ClusterError(
            f"The Secret {name} in {asked.place} has no {' and no '.join(missing)}: name another."
        )
    return {f"{_PREFIX}{name}": base64.b64decode(data[key]).decode() for key, name in _KEYS.items()}
