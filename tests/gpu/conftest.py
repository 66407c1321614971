"""Tests of the gsplat engine on a real GPU; without one, or without gsplat, they are all skipped.

Nothing here imports torch before that is known.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from splatworks_common.progress import silent
from splatworks_trainer.engines.gpu import gpu_problem
from tests.integration.trainer.conftest import capture

__all__ = ["capture"]


@pytest.fixture(scope="session", autouse=True)
def _gpu() -> None:
    problem = gpu_problem()
    if problem:
        pytest.skip(f"needs a CUDA GPU: {problem}")


@pytest.fixture(scope="session")
def fox(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sfm's output for fifty photos from a walk around a shelf."""
    from splatworks_sfm.config import SfmOptions
    from splatworks_sfm.reconstruct import reconstruct

    folder = tmp_path_factory.mktemp("fox")
    scratch = tmp_path_factory.mktemp("sfm")
    reconstruct(shared_data / "fox/images", folder, SfmOptions(), silent, scratch=scratch)
    return folder
