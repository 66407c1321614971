"""The stage as a whole, with an engine that only pretends in place of the kernels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from splatworks_common.ply import read_ply
from splatworks_common.progress import silent
from splatworks_common.reasons import OutOfMemory
from splatworks_common.splats import Splats
from splatworks_trainer import scene as scene_module
from splatworks_trainer import train as train_module
from splatworks_trainer.config import EngineName, TrainOptions
from splatworks_trainer.engines.choice import Chosen
from splatworks_trainer.train import train
from tests.unit.trainer.colmap_files import ImageRow, write_model, write_photo
from tests.unit.trainer.pretend_engine import PHOTO_GREY, PretendEngine

OPTIONS = TrainOptions(max_steps=6, max_gaussians=200, hold_out_every=2)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Four photos of one sparse point."""
    names = [f"{i}.jpg" for i in range(4)]
    write_model(tmp_path / "dense/sparse", images=[ImageRow(name) for name in names])
    for name in names:
        write_photo(tmp_path / "dense/images" / name, np.full((30, 40, 3), PHOTO_GREY, np.uint8))
    return tmp_path


def test_the_engine_given_trains_and_makes_the_model(capture: Path, tmp_path: Path) -> None:
    made: list[tuple[int, int, PretendEngine]] = []

    def make_engine(
        splats: Splats, *, capacity: int, threads: int, antialiased: bool = False
    ) -> PretendEngine:
        made.append((capacity, threads, PretendEngine()))
        return made[-1][-1]

    summary = train(capture, tmp_path / "out", OPTIONS, silent, 3, make_engine=make_engine)

    capacity, threads, trainer = made[0]
    assert (capacity, threads) == (200, 3)
    assert len(trainer.steps) == summary.steps
    assert read_ply(tmp_path / "out" / "model.ply").means[0, 0] > 0


@pytest.mark.parametrize(
    ("writer", "name"), [("write_turntable", "turntable.mp4"), ("write_report", "report.html")]
)
def test_what_goes_wrong_beside_the_model_does_not_lose_it(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str, name: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        (tmp_path / "out" / name).write_text("half of it")
        raise RuntimeError("no such encoder")

    monkeypatch.setattr(train_module, writer, fails)

    train(capture, tmp_path / "out", OPTIONS, silent, 1, make_engine=lambda *_, **__: PretendEngine())

    assert len(read_ply(tmp_path / "out" / "model.ply")) > 0
    assert not (tmp_path / "out" / name).exists()
    remark = json.loads((tmp_path / "out" / "metrics.json").read_text())["turntable_remark"]
    assert (remark is not None and "no such encoder" in remark) == (name == "turntable.mp4")


def test_a_run_that_does_not_fit_into_memory_is_refused_before_it_starts(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **options: object) -> PretendEngine:
        raise AssertionError("no engine is wanted")

    monkeypatch.setattr(scene_module, "available_bytes", lambda: 50_000_000)

    with pytest.raises(OutOfMemory, match="50 MB are available"):
        train(capture, tmp_path / "out", OPTIONS, silent, 1, make_engine=never)


def test_a_run_that_does_not_fit_the_gpu_is_refused_before_it_starts(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **options: object) -> PretendEngine:
        raise AssertionError("no engine is wanted")

    small = Chosen(EngineName.GSPLAT, "a small GPU", never, gpu_bytes=100_000)
    monkeypatch.setattr(train_module, "choose_engine", lambda *args, **options: small)

    with pytest.raises(OutOfMemory, match=r"200 Gaussians would need .* of the GPU's memory"):
        train(capture, tmp_path / "out", OPTIONS, silent, 1)
