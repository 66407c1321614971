"""The stage's steps, apart from the work itself so that a server can know them without loading COLMAP."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STEPS: Mapping[str, float] = MappingProxyType(
    {"ingest": 0.05, "features": 0.32, "matching": 0.43, "mapping": 0.12, "undistort": 0.08}
)
"""The steps in order, with their usual shares of the stage's time (50 photos, compared exhaustively)."""
