"""The peer that reads what the compressor writes."""

from __future__ import annotations

import pytest

from tests.npm import peers


@pytest.fixture(scope="session")
def splat_transform() -> None:
    """Makes ``peers.splat_transform`` ready; skips where it is neither installed nor to be had."""
    try:
        peers.install()
    except peers.PeersUnavailable as error:
        pytest.skip(f"needs @playcanvas/splat-transform: {error}")
