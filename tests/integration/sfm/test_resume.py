"""A reconstruction that is cut short goes on with the features and matches it has, and ends the same."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from PIL import Image

from splatworks_common.progress import Update
from splatworks_common.reasons import Preempted
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.pycolmap_import import pycolmap
from splatworks_sfm.reconstruct import reconstruct
from tests.checkpoints import PausingCheckpoint
from tests.integration.sfm.synthetic import arc, write_capture
from tests.integration.sfm.test_reconstruct import contents

VIEWS = 9  # more than the side of a tile, so that there are two of them
# With one thread photos are taken two at a time, and those of two cameras apart: the checkpoint is asked five
# times for features, after each of two tiles, and once more.
STOPS = {
    "among the features": 3,
    "after the features": 5,
    "in the middle of matching": 6,
    "after matching": 8,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine views of two sizes."""
    folder = tmp_path_factory.mktemp("photos")
    write_capture(folder, arc(VIEWS))
    for number in (2, 6):
        with Image.open(folder / f"view_{number:02d}.jpg") as image:
            image.crop((0, 30, 480, 330)).save(folder / f"view_{number:02d}.jpg", quality=95)
    return folder


def run(
    photos: Path, folder: Path, *, threads: int, stop_at: int = 0, loaded: Path | None = None
) -> tuple[PausingCheckpoint, list[Update]]:
    """Reconstructs, or stops at the ask of the checkpoint of that number."""
    checkpoint = PausingCheckpoint(folder / "checkpoint", stop_at, loaded)
    updates: list[Update] = []
    (folder / "scratch").mkdir(parents=True)
    try:
        reconstruct(
            photos,
            folder / "output",
            SfmOptions(threads=threads, max_features=1500),
            updates.append,
            scratch=folder / "scratch",
            checkpoint=checkpoint,
        )
    except Preempted:
        assert stop_at
    return checkpoint, updates


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an uninterrupted run writes."""
    folder = tmp_path_factory.mktemp("whole")
    run(photos, folder, threads=2)
    return contents(folder / "output")


@pytest.mark.parametrize("stop_at", STOPS.values(), ids=STOPS.keys())
def test_the_model_is_that_of_an_uninterrupted_run(
    photos: Path, tmp_path: Path, whole: dict[str, bytes], stop_at: int
) -> None:
    stopped, _ = run(photos, tmp_path / "stopped", threads=1, stop_at=stop_at)

    run(photos, tmp_path / "resumed", threads=2, loaded=stopped.saved)

    assert stopped.saved is not None
    assert contents(tmp_path / "resumed/output") == whole


def test_what_is_kept_is_not_done_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, _ = run(photos, tmp_path / "stopped", threads=1, stop_at=STOPS["in the middle of matching"])
    compared: list[int] = []
    match_image_pairs = pycolmap.match_image_pairs

    def counting(database, matching, pairing, *rest):
        compared.append(len(Path(pairing.match_list_path).read_text().splitlines()))
        match_image_pairs(database, matching, pairing, *rest)

    monkeypatch.setattr(pycolmap, "match_image_pairs", counting)
    monkeypatch.setattr(pycolmap, "extract_features", None)

    _, updates = run(photos, tmp_path / "resumed", threads=2, loaded=stopped.saved)

    assert compared == [8]  # of 36; the first tile has 28
    messages = [update.message for update in updates if update.message.startswith("Continued")]
    assert messages == ["Continued from photo 9", "Continued from pair 28"]


def test_a_database_of_other_photos_is_not_used(
    photos: Path, tmp_path: Path, whole: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    write_capture(tmp_path / "others", arc(4))
    stopped, _ = run(tmp_path / "others", tmp_path / "stopped", threads=1, stop_at=2)

    with caplog.at_level(logging.WARNING):
        run(photos, tmp_path / "resumed", threads=2, loaded=stopped.saved)

    assert "begins anew" in caplog.text
    assert contents(tmp_path / "resumed/output") == whole
