"""The embedded store from a person's machine: through a forwarded port, with one Secret of the chart."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from splatworks_common.addresses import Address
from splatworks_common.embedded_store import EmbeddedStore, Keys
from splatworks_common.tls_forwarder import Certificate, forwarding
from splatworks_operator.cluster.refusals import Asked
from splatworks_operator.cluster.store_access import StoreAccess, open_store
from tests.unit.chart.rendering import Chart, Manifests, find_helm


class Release:
    """A connection to a cluster that has the Secrets of a rendering."""

    namespace = "demo"

    def __init__(self, manifests: Manifests) -> None:
        self._manifests = manifests

    async def request(self, _: str, asked: Asked) -> dict[str, Any]:
        return dict(self._manifests.get("Secret", asked.name))

    def read(self, secret: str, key: str) -> bytes:
        return base64.b64decode(self._manifests.get("Secret", secret)["data"][key])


@pytest.fixture(scope="module")
def release() -> Release:
    return Release(Chart(find_helm()).render())


def certificate(release: Release, folder: Path) -> Certificate:
    """The store's, as its pod has it mounted."""
    cert, key = folder / "tls.crt", folder / "tls.key"
    cert.write_bytes(release.read("splatworks-store-tls", "tls.crt"))
    key.touch(mode=0o600)
    key.write_bytes(release.read("splatworks-store-tls", "tls.key"))
    return Certificate(cert, key)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_one_secret_is_enough(release: Release, tmp_path: Path, name: str) -> None:
    secret = "splatworks-store-keys"
    keys = Keys(*(release.read(secret, key).decode() for key in ("access-key", "secret-key")))
    content = os.urandom(1000)
    with EmbeddedStore(tmp_path / "data", keys=keys) as embedded:
        inside = urlsplit(embedded.settings.url)
        assert inside.hostname
        assert inside.port
        target = Address(inside.hostname, inside.port)
        async with forwarding(Address("127.0.0.1", 0), target, certificate(release, tmp_path)) as forwarded:
            access = StoreAccess(f"https://{name}:{forwarded.port}", secret=f"demo/{secret}")
            async with open_store(access, release) as store:  # type: ignore[arg-type]
                await asyncio.to_thread(store.put_bytes, store.uri("uploads/x"), content)
                assert await asyncio.to_thread(store.get_bytes, store.uri("uploads/x")) == content
