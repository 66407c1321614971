"""The loop, with an engine that only pretends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from splatworks_common.cameras import Camera
from splatworks_common.checkpoints import NO_CHECKPOINT
from splatworks_common.progress import Update
from splatworks_common.reasons import InputInvalid, Internal
from splatworks_trainer.config import TrainOptions
from splatworks_trainer.fit import Fit, fit
from splatworks_trainer.log import TrainingLog
from splatworks_trainer.schedule import Schedule
from splatworks_trainer.state import Position
from splatworks_trainer.stopping import StopReason
from splatworks_trainer.strategy import AdaptiveDensityControl
from splatworks_trainer.views import Photos, split_held_out
from tests.unit.trainer.colmap_files import write_photo
from tests.unit.trainer.pretend_engine import PHOTO_GREY, PretendEngine

SIDE = 32
OPTIONS = TrainOptions(
    max_steps=40,
    evaluations=10,
    plateau_patience=2,
    densify_from=0.1,
    densify_until=0.3,
    densify_rounds=2,
    resolution_schedule=((1.0, 0.0),),
)


RISING = tuple(PHOTO_GREY - 60 + 5 * i for i in range(10))


def run(
    tmp_path: Path,
    engine: PretendEngine,
    options: TrainOptions = OPTIONS,
    *,
    photos: int = 4,
    hold_out_every: int = 8,
    updates: list[Update] | None = None,
) -> Fit:
    cameras = [Camera(f"{i}.png", np.eye(4), 30.0, 30.0, 16.0, 16.0, SIDE, SIDE) for i in range(photos)]
    for camera in cameras:
        write_photo(tmp_path / camera.name, np.full((SIDE, SIDE, 3), PHOTO_GREY, np.uint8))
    with TrainingLog(tmp_path / "training.log", lambda: 0.0) as log:
        return fit(
            engine,
            AdaptiveDensityControl(100, 0, 2e-4, 1.0, 0.005),
            Schedule(options.max_steps, 1.0, options),
            Photos(tmp_path, split_held_out(cameras, hold_out_every), max_side=SIDE),
            start=Position(np.random.default_rng(0)),
            threads=1,
            report=(updates if updates is not None else []).append,
            log=log,
            checkpoint=NO_CHECKPOINT,
        )


def test_all_training_photos_come_round_before_any_comes_again(tmp_path: Path) -> None:
    engine = PretendEngine(greys=RISING)

    run(tmp_path, engine)

    rounds = [sorted(engine.steps[i : i + 3]) for i in range(0, 39, 3)]
    assert rounds == [["1.png", "2.png", "3.png"]] * 13


def test_held_out_photos_never_train(tmp_path: Path) -> None:
    engine = PretendEngine(greys=RISING)

    run(tmp_path, engine)

    assert "0.png" not in engine.steps


def test_a_run_goes_on_to_its_last_step(tmp_path: Path) -> None:
    result = run(tmp_path, PretendEngine(greys=RISING))

    assert (result.steps, result.step, result.stop_reason) == (40, 40, StopReason.MAX_STEPS)


def test_a_plateau_ends_the_run_with_the_best_model(tmp_path: Path) -> None:
    rising_then_falling = [60, 70, 80, 90, 95, 90, 85, 80, 75, 70]

    result = run(tmp_path, PretendEngine(greys=rising_then_falling))

    assert (result.steps, result.step, result.stop_reason) == (28, 20, StopReason.PLATEAU)
    assert result.splats.means[0, 0] == 20


def test_identical_pictures_have_a_psnr_that_json_can_hold(tmp_path: Path) -> None:
    run(tmp_path, PretendEngine(greys=[PHOTO_GREY] * 12))

    lines = [json.loads(line) for line in (tmp_path / "training.log").read_text().splitlines()]
    assert {line["psnr"] for line in lines if line["event"] == "evaluation"} == {100.0}


def test_the_target_ends_the_run(tmp_path: Path) -> None:
    rising = [60, 70, 80, 99, 99]

    result = run(tmp_path, PretendEngine(greys=rising), replace(OPTIONS, target_psnr=40.0))

    assert (result.steps, result.step, result.stop_reason) == (16, 16, StopReason.TARGET_PSNR)


def test_with_too_few_photos_to_spare_one_all_train_to_the_end(tmp_path: Path) -> None:
    engine = PretendEngine(greys=RISING)

    result = run(tmp_path, engine, photos=3)

    assert set(engine.steps) == {"0.png", "1.png", "2.png"}
    assert engine.renders == 0
    assert result.step == 40


def test_without_a_photo_to_train_on_there_is_no_run(tmp_path: Path) -> None:
    engine = PretendEngine()

    with pytest.raises(InputInvalid, match="all 4 photos are held out"):
        run(tmp_path, engine, hold_out_every=1)

    assert engine.steps == []


def test_edits_come_as_often_as_the_schedule_says(tmp_path: Path) -> None:
    engine = PretendEngine(greys=RISING)

    run(tmp_path, engine)

    assert len(engine.edits) == 2


def test_progress_counts_up_to_the_planned_steps(tmp_path: Path) -> None:
    updates: list[Update] = []

    run(tmp_path, PretendEngine(greys=RISING), updates=updates)

    assert [update.done for update in updates] == list(range(1, 41))
    assert {(update.step, update.total) for update in updates} == {("train", 40)}
    assert set(updates[-1].metrics) == {"psnr", "ssim", "gaussians"}


def test_the_log_is_json_lines_with_every_kind_of_event(tmp_path: Path) -> None:
    run(tmp_path, PretendEngine(greys=RISING))

    lines = [json.loads(line) for line in (tmp_path / "training.log").read_text().splitlines()]
    assert {line["event"] for line in lines} == {"progress", "edit", "evaluation"}
    assert all({"seconds", "step"} <= set(line) for line in lines)


def test_a_loss_that_is_not_a_number_ends_the_run_with_photo_and_step(tmp_path: Path) -> None:
    with pytest.raises(Internal, match=r"training step 0: the loss on photo \d\.png is nan"):
        run(tmp_path, PretendEngine(loss=float("nan")))


@pytest.mark.parametrize("parameter", ["means", "log_scales", "quats", "opacities", "sh0"])
def test_a_parameter_that_is_not_a_number_is_named_though_the_loss_hides_it(
    tmp_path: Path, parameter: str
) -> None:
    with pytest.raises(Internal, match=f"training step 3: not finite are {parameter} of 1 of 1 Gaussians"):
        run(tmp_path, PretendEngine(spoil=parameter))


def test_a_render_that_is_not_a_number_names_the_photo(tmp_path: Path) -> None:
    with pytest.raises(Internal, match=r"the render of 0\.png is not finite"):
        run(tmp_path, PretendEngine(greys=[float("nan")]))
