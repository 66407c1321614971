from __future__ import annotations

import base64
from typing import Any

import pytest

from splatworks_operator.cluster.errors import ClusterError
from splatworks_operator.cluster.refusals import Asked
from splatworks_operator.cluster.store_access import StoreAccess, store_settings


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


async def test_the_environment_is_enough():
    settings = await store_settings(StoreAccess(), Secrets())  # type: ignore[arg-type]
    assert (settings.url, settings.access_key) == ("http://store:8333", "mine")


async def test_flags_win_over_the_environment():
    settings = await store_settings(
        StoreAccess("http://127.0.0.1:1", "photos"),
        Secrets(),  # type: ignore[arg-type]
    )
    assert (settings.url, settings.bucket) == ("http://127.0.0.1:1", "photos")


async def test_the_keys_of_a_secret_win_over_the_environment():
    cluster = Secrets(access_key="theirs", secret_key="deep")
    settings = await store_settings(StoreAccess(secret="splatworks/store"), cluster)  # type: ignore[arg-type]
    assert (settings.access_key, settings.secret_key) == ("theirs", "deep")
    assert cluster.asked == [Asked("get", "secrets", "splatworks", "store")]


async def test_a_secret_without_the_keys_is_named_and_not_shown():
    with pytest.raises(ClusterError, match="The Secret store in namespace foxes has no secret-key") as caught:
        await store_settings(StoreAccess(secret="store"), Secrets(access_key="theirs"))  # type: ignore[arg-type]
    assert "theirs" not in str(caught.value)


async def test_what_is_missing_is_named_with_the_ways_to_give_it(monkeypatch):
    monkeypatch.delenv("SPLATWORKS_STORE_URL")
    with pytest.raises(ClusterError, match="SPLATWORKS_STORE_URL missing") as caught:
        await store_settings(StoreAccess(), Secrets())  # type: ignore[arg-type]
    assert "--store-secret" in str(caught.value)
    assert "hidden" not in str(caught.value)
