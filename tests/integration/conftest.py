"""A real object store for everything that needs one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.embedded_store import EmbeddedStore


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """A running embedded store, shared by the whole run: never stop it, write beneath ``prefix`` only."""
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as store:
        yield store.settings


@pytest.fixture
def prefix(object_store: StoreSettings) -> S3Uri:
    """An address in the shared store beneath which nothing is."""
    return S3Uri(object_store.bucket, f"tests/{uuid.uuid4().hex}")
