"""Which object store, with which credentials, and how patient to be with it.

The settings travel to child processes as environment variables, never on a command line, and show no secret
when printed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid

_PREFIX = "SPLATWORKS_STORE_"


@dataclass(frozen=True)
class RetryPolicy:
    """How long one request is tried again; the pauses between tries double and are jittered.

    Attributes:
        attempts: Tries in all, at least 1. 20 of them with the pauses below take 45 s or more even where
            every try fails at once, so a store that is gone for half a minute is survived.
        seconds: No new try begins later than this after the first one.
        first_pause: Seconds before the second try.
        longest_pause: Seconds that no pause exceeds.
    """

    attempts: int = 20
    seconds: float = 60.0
    first_pause: float = 0.2
    longest_pause: float = 4.0


@dataclass(frozen=True)
class StoreSettings:
    """Where artifacts live.

    Attributes:
        url: ``http://host:port`` or ``https://host[:port]``, nothing behind it.
        access_key: Who asks; not shown when printed.
        secret_key: Never shown when printed.
        bucket: The bucket for everything Splatworks writes; it must exist.
        region: Needed for signing; MinIO and SeaweedFS take the default.
        sse: How the store encrypts what is written: "" as it likes, "S3" with keys of its own, "KMS:key-id"
            with that key.
        ca_file: PEM file with the authority that signed the store's certificate; None takes certifi's.
        retry: How patient to be.
    """

    url: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    bucket: str = "splatworks"
    region: str = "us-east-1"
    ca_file: Path | None = None
    sse: str = ""
    retry: RetryPolicy = RetryPolicy()

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputInvalid("the object store's URL must be http://host:port or https://host:port")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password:
            raise InputInvalid("the object store's URL must be only scheme, host and port")
        if not self.access_key or not self.secret_key:
            raise InputInvalid("the object store needs an access key and a secret key")
        self._check_sse(parts.scheme)
        S3Uri(self.bucket, "")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StoreSettings:
        """Reads the settings from variables that begin with ``SPLATWORKS_STORE_``.

        ``URL``, ``ACCESS_KEY`` and ``SECRET_KEY`` are needed; ``BUCKET``, ``REGION``, ``CA_FILE`` and ``SSE``
        are not. A key may be in a file that ``ACCESS_KEY_FILE`` or ``SECRET_KEY_FILE`` names; the key itself,
        where it is given too, goes before the file.

        Raises:
            InputInvalid: A needed variable is not set or not usable; the message names it, never its value.
        """
        needed = {
            "URL": environment.get(_PREFIX + "URL", ""),
            **{name: _value_or_file(environment, name) for name in ("ACCESS_KEY", "SECRET_KEY")},
        }
        missing = [_PREFIX + name for name, value in needed.items() if not value]
        if missing:
            raise InputInvalid(f"no object store is set: {', '.join(missing)} missing from the environment")
        ca_file = environment.get(_PREFIX + "CA_FILE")
        return cls(
            url=needed["URL"],
            access_key=needed["ACCESS_KEY"],
            secret_key=needed["SECRET_KEY"],
            bucket=environment.get(_PREFIX + "BUCKET") or cls.bucket,
            region=environment.get(_PREFIX + "REGION") or cls.region,
            ca_file=Path(ca_file) if ca_file else None,
            sse=environment.get(_PREFIX + "SSE", ""),
        )

    def environment(self) -> dict[str, str]:
        """The variables from which ``from_environment`` makes the same settings in a child process."""
        variables = {
            "URL": self.url,
            "ACCESS_KEY": self.access_key,
            "SECRET_KEY": self.secret_key,
            "BUCKET": self.bucket,
            "REGION": self.region,
            "SSE": self.sse,
        }
        if self.ca_file is not None:
            variables["CA_FILE"] = str(self.ca_file)
        return {_PREFIX + name: value for name, value in variables.items()}

    def _check_sse(self, scheme: str) -> None:
        kind, _, key = self.sse.partition(":")
        if self.sse not in ("", "S3") and not (kind == "KMS" and key):
            raise InputInvalid(
                f"the object store can not encrypt with {self.sse!r}; write S3, KMS:key-id or nothing"
            )
        if kind == "KMS" and scheme != "https":
            raise InputInvalid("the object store encrypts with a KMS key over https only; correct its URL")


def _value_or_file(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(_PREFIX + name, "")
    file = environment.get(f"{_PREFIX}{name}_FILE", "")
    if value or not file:
        return value
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        # The exception's own text may hold what was read.
        raise InputInvalid(
            f"{file} can not be read ({type(error).__name__}); it is {_PREFIX}{name}_FILE"
        ) from None
