"""One reconstruction of the made-up capture, shared by the tests that look at it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from splatworks_common.progress import Update
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.reconstruct import reconstruct
from splatworks_sfm.report import SfmReport
from tests.integration.sfm.synthetic import arc, write_capture

VIEWS = 8


@dataclass
class Run:
    """A finished reconstruction: what it returned, wrote and told on the way."""

    output: Path
    report: SfmReport
    updates: list[Update] = field(default_factory=list)


def run(photos: Path, folder: Path, **options: object) -> Run:
    updates: list[Update] = []
    (folder / "scratch").mkdir(parents=True)
    settings = SfmOptions(**options)  # type: ignore[arg-type]
    report = reconstruct(photos, folder / "output", settings, updates.append, scratch=folder / "scratch")
    return Run(folder / "output", report, updates)


@pytest.fixture(scope="session")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight good photos (one of them a PNG), and a truncated one, a text and a file of the system's."""
    folder = tmp_path_factory.mktemp("capture")
    write_capture(folder, arc(VIEWS))
    with Image.open(folder / "view_03.jpg") as image:
        image.save(folder / "view_03.png")
    (folder / "view_03.jpg").unlink()
    content = (folder / "view_00.jpg").read_bytes()
    (folder / "broken.jpg").write_bytes(content[: len(content) // 2])
    (folder / "notes.txt").write_text("around the crate")
    (folder / ".DS_Store").write_bytes(b"junk")
    return folder


@pytest.fixture(scope="session")
def reconstructed(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The capture, reconstructed with defaults."""
    return run(capture, tmp_path_factory.mktemp("reconstructed"))


@pytest.fixture(scope="session")
def zipped(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The capture as a .zip."""
    return Path(shutil.make_archive(str(tmp_path_factory.mktemp("zipped") / "photos"), "zip", capture))
