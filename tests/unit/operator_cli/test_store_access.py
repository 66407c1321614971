from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_operator.cluster.errors import ClusterError
from splatworks_operator.cluster.refusals import Asked
from splatworks_operator.cluster.store_access import StoreAccess, open_store


class Secrets:
    """A connection to a cluster with one Secret."""

    namespace = "foxes"

    def __init__(self, **data: str) -> None:
        self._data = {
            name.replace("_", "-"): base64.b64encode(value.encode()).decode() for name, value in data.items()
        }
        self.asked: list[Asked] = []

    async def request(self, _: str, asked: Asked) -> dict[str, Any]:
        self.asked.append(asked)
        return {"data": self._data}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"URL": "http://store:8333", "ACCESS_KEY": "mine", "SECRET_KEY": "hidden"}.items():
        monkeypatch.setenv(f"SPLATWORKS_STORE_{name}", value)


async def opened(access: StoreAccess, cluster: Secrets | None = None) -> StoreSettings:
    """The settings of the store that is opened; nobody asks it for anything."""
    async with open_store(access, cluster) as store:  # type: ignore[arg-type]
        return store.settings


async def test_the_environment_is_enough_without_a_cluster():
    settings = await opened(StoreAccess())
    assert (settings.url, settings.access_key) == ("http://store:8333", "mine")


async def test_flags_win_over_the_environment():
    settings = await opened(StoreAccess("http://127.0.0.1:1", "photos"))
    assert (settings.url, settings.bucket) == ("http://127.0.0.1:1", "photos")


async def test_the_keys_of_a_secret_win_over_the_environment():
    cluster = Secrets(access_key="theirs", secret_key="deep")
    settings = await opened(StoreAccess(secret="splatworks/store"), cluster)
    assert (settings.access_key, settings.secret_key) == ("theirs", "deep")
    assert cluster.asked == [Asked("get", "secrets", "splatworks", "store")]


async def test_a_secret_without_the_keys_is_named_and_not_shown():
    with pytest.raises(ClusterError, match="The Secret store in namespace foxes has no secret-key") as caught:
        await opened(StoreAccess(secret="store"), Secrets(access_key="theirs"))
    assert "theirs" not in str(caught.value)


async def test_the_authority_of_a_secret_is_a_file_for_as_long_as_the_store_is_open():
    cluster = Secrets(access_key="theirs", secret_key="deep", **{"ca.crt": "PEM"})
    async with open_store(StoreAccess("https://127.0.0.1:8333", secret="store"), cluster) as store:  # type: ignore[arg-type]
        file = store.settings.ca_file
        assert file is not None
        assert file.read_text() == "PEM"
    assert not file.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_a_forwarded_port_without_an_authority_is_told_how_to_get_it(host: str):
    cluster = Secrets(access_key="theirs", secret_key="deep")
    with pytest.raises(ClusterError, match=r"the Secret store has no ca\.crt\. Set SPLATWORKS_STORE_CA_FILE"):
        await opened(StoreAccess(f"https://{host}:8333", secret="store"), cluster)


async def test_an_authority_in_the_environment_does_for_a_forwarded_port(monkeypatch):
    monkeypatch.setenv("SPLATWORKS_STORE_CA_FILE", "store-ca.crt")
    assert (await opened(StoreAccess("https://127.0.0.1:8333"))).ca_file == Path("store-ca.crt")


async def test_a_store_with_a_public_certificate_needs_no_authority():
    assert (await opened(StoreAccess("https://s3.example.com"))).ca_file is None


async def test_what_is_missing_is_named_with_the_ways_to_give_it(monkeypatch):
    monkeypatch.delenv("SPLATWORKS_STORE_URL")
    with pytest.raises(ClusterError, match="SPLATWORKS_STORE_URL missing") as caught:
        await opened(StoreAccess())
    assert "--store-secret" in str(caught.value)
    assert "hidden" not in str(caught.value)
