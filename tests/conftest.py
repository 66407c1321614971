"""What every test may use: real captures, a Kubernetes, and the two plugins that watch over a whole run."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

pytest_plugins = (
    "pytester",
    "tests.kube.cluster",
    "tests.plugins.leftover_processes",
    "tests.plugins.skip_summary",
)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real captures beside the repository; tests that need it are skipped where it is not."""
    data = REPOSITORY.parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("needs ../shared/data")
    return data
