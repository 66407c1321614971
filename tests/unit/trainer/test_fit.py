"""The loop, with an engine that only pretends."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.checkpoints import NO_CHECKPOINT
from splatworks_common.live import NOTHING_LIVE, LiveArtifacts
from splatworks_common.progress import Update
from splatworks_common.reasons import InputInvalid, Internal
from splatworks_common.splats import Splats
from splatworks_trainer.adc import AdaptiveDensityControl
from splatworks_trainer.config import Background, TrainOptions
from splatworks_trainer.engine import Edit, Statistics
from splatworks_trainer.exposure import Exposures
from splatworks_trainer.fit import Fit, Surroundings, fit
from splatworks_trainer.log import TrainingLog
from splatworks_trainer.mcmc import MarkovChainMonteCarlo
from splatworks_trainer.schedule import Schedule
from splatworks_trainer.state import Position
from splatworks_trainer.stopping import StopReason
from splatworks_trainer.strategy import Errors, Strategy
from splatworks_trainer.views import Photos
from tests.unit.trainer.colmap_files import write_photo
from tests.unit.trainer.pretend_engine import PHOTO_GREY, PretendEngine

SIDE = 32
OPTIONS = TrainOptions(
    dense_start=0.0,
    ssim_weight=0.2,
    max_steps=40,
    evaluations=10,
    plateau_patience=2,
    densify_start=0.1,
    densify_until=0.3,
    densify_rounds=2,
    resolution_schedule=((1.0, 0.0),),
)


ADC = AdaptiveDensityControl(100, 0, 2e-4, 1.0, 0.005)
RISING = tuple(PHOTO_GREY - 60 + 5 * i for i in range(10))


def run(
    tmp_path: Path,
    engine: PretendEngine,
    options: TrainOptions = OPTIONS,
    *,
    strategy: Strategy = ADC,
    photos: int = 4,
    held_out: Container[int] = (0,),
    updates: list[Update] | None = None,
    live: LiveArtifacts = NOTHING_LIVE,
    training: Sequence[int] | None = None,
    exposures: Exposures | None = None,
) -> Fit:
    cameras = [
        Camera(f"{i}.png", np.eye(4), 30.0, 30.0, 16.0, 16.0, SIDE, SIDE, held_out=i in held_out)
        for i in range(photos)
    ]
    for camera in cameras:
        write_photo(tmp_path / camera.name, np.full((SIDE, SIDE, 3), PHOTO_GREY, np.uint8))
    with TrainingLog(tmp_path / "training.log", lambda: 0.0) as log:
        loaded = Photos(tmp_path, cameras, max_side=SIDE)
        report = (updates if updates is not None else []).append
        return fit(
            engine,
            strategy,
            Schedule(options.max_steps, 1.0, options),
            loaded,
            loaded.training if training is None else training,
            Position(np.random.default_rng(0), exposures=exposures.state() if exposures else {}),
            Surroundings(1, report, log, NO_CHECKPOINT, live, tmp_path),
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

    assert (result.ending.steps, result.step, result.ending.stop_reason) == (40, 40, StopReason.MAX_STEPS)


def test_a_plateau_ends_the_run_with_the_best_model(tmp_path: Path) -> None:
    rising_then_falling = [60, 70, 80, 90, 95, 90, 85, 80, 75, 70]

    result = run(tmp_path, PretendEngine(greys=rising_then_falling))

    assert (result.ending.steps, result.step, result.ending.stop_reason) == (28, 20, StopReason.PLATEAU)
    assert result.splats.means[0, 0] == 20


def test_identical_pictures_have_a_psnr_that_json_can_hold(tmp_path: Path) -> None:
    run(tmp_path, PretendEngine(greys=[PHOTO_GREY] * 12))

    lines = [json.loads(line) for line in (tmp_path / "training.log").read_text().splitlines()]
    assert {line["psnr"] for line in lines if line["event"] == "evaluation"} == {100.0}


def test_the_target_ends_the_run(tmp_path: Path) -> None:
    rising = [60, 70, 80, 99, 99]

    result = run(tmp_path, PretendEngine(greys=rising), replace(OPTIONS, target_psnr=40.0))

    assert (result.ending.steps, result.step, result.ending.stop_reason) == (16, 16, StopReason.TARGET_PSNR)


def test_with_no_photo_held_out_all_train_to_the_end(tmp_path: Path) -> None:
    engine = PretendEngine(greys=RISING)

    result = run(tmp_path, engine, photos=3, held_out=())

    assert set(engine.steps) == {"0.png", "1.png", "2.png"}
    assert engine.renders == 0
    assert result.step == 40


def test_without_a_photo_to_train_on_there_is_no_run(tmp_path: Path) -> None:
    engine = PretendEngine()

    with pytest.raises(InputInvalid, match="all 4 photos are held out"):
        run(tmp_path, engine, held_out=range(4))

    assert engine.steps == []


def test_edits_come_as_often_as_the_schedule_says(tmp_path: Path) -> None:
    engine = PretendEngine(greys=RISING)

    run(tmp_path, engine)

    assert len(engine.edits) == 2


def test_a_strategy_that_asks_for_errors_is_shown_those_of_a_few_photos_that_train(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    class Watched(PretendEngine):
        def blended(self, camera: Camera, values: NDArray[np.float32]) -> NDArray[np.float32]:
            seen[-1].append(camera.name)
            return super().blended(camera, values)

    class Curious(AdaptiveDensityControl):
        def plan(
            self, stats: Statistics, errors: Errors, splats: Splats, step: int, rng: np.random.Generator
        ) -> Edit:
            seen.append([])
            assert len(errors()) == len(splats)
            return super().plan(stats, errors, splats, step, rng)

    strategy = Curious(*vars(ADC).values())
    options = replace(OPTIONS, max_steps=400)  # enough steps in between for as many looks as there ever are
    run(tmp_path, Watched(), options, strategy=strategy, photos=14, held_out=(0, 3))

    assert len(seen) == 2
    for names in seen:
        assert len(set(names)) == len(names) == 6
        assert not {"0.png", "3.png"} & set(names)


def test_progress_counts_up_to_the_planned_steps(tmp_path: Path) -> None:
    updates: list[Update] = []

    run(tmp_path, PretendEngine(greys=RISING), updates=updates)

    assert [update.done for update in updates] == list(range(1, 41))
    assert {(update.step, update.total) for update in updates} == {("train", 40)}
    shares = [update.share or 0.0 for update in updates]
    assert 0 < shares[0] < shares[-1] == 1
    assert set(updates[-1].metrics) == {"psnr", "ssim", "gaussians"}


def test_the_log_is_json_lines_with_every_kind_of_event(tmp_path: Path) -> None:
    run(tmp_path, PretendEngine(greys=RISING))

    lines = [json.loads(line) for line in (tmp_path / "training.log").read_text().splitlines()]
    assert {line["event"] for line in lines} == {"progress", "edit", "evaluation"}
    assert all({"seconds", "step"} <= set(line) for line in lines)


def log_events(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "training.log").read_text().splitlines()]


def rising_after(step: int, *, until_call: float = math.inf) -> Callable[[int], float]:
    """A squared error that rises a hundredfold after a step, until it was asked for so often."""
    calls = itertools.count(1)
    return lambda steps: 0.1 if next(calls) <= until_call and steps > step else 0.001


LONG = replace(OPTIONS, max_steps=400, evaluations=2, densify_rounds=0)


def test_a_run_that_goes_astray_is_set_back_once_with_half_the_rates(tmp_path: Path) -> None:
    engine = PretendEngine(mse=rising_after(270, until_call=275))

    result = run(tmp_path, engine, LONG)

    restarts = [line for line in log_events(tmp_path) if line["event"] == "restart"]
    assert [line["rate_factor"] for line in restarts] == [0.5]
    assert restarts[0]["step"] == 200  # a quarter of the run is 100 steps
    assert engine.rates[-1].sh0 == pytest.approx(Schedule(400, 1.0, LONG).rates(399).sh0 / 2)
    assert (result.ending.steps, result.rate_factor) == (400, 0.5)


def test_a_run_that_goes_astray_twice_says_so(tmp_path: Path) -> None:
    with pytest.raises(Internal, match=r"has risen to .* Half the learning rates did not help"):
        run(tmp_path, PretendEngine(mse=rising_after(250)), LONG)


def test_a_loss_that_is_not_a_number_ends_the_run_with_photo_and_step(tmp_path: Path) -> None:
    with pytest.raises(Internal, match=r"training step 0: the loss on photo \d\.png is nan"):
        run(tmp_path, PretendEngine(loss=float("nan")))


@pytest.mark.parametrize("parameter", ["means", "log_scales", "quats", "opacities", "sh0"])
def test_a_parameter_that_is_not_a_number_is_named(tmp_path: Path, parameter: str) -> None:
    with pytest.raises(Internal, match=f"training step 0: not finite are {parameter} of 1 of 1 Gaussians"):
        run(tmp_path, PretendEngine(spoil=parameter))


def test_gaussians_that_outgrow_the_scene_end_the_run(tmp_path: Path) -> None:
    engine = PretendEngine()
    engine.log_scale = 8.0

    with pytest.raises(Internal, match="1 of 1 Gaussians are 1000 times as large as the scene"):
        run(tmp_path, engine)


def test_a_render_that_is_not_a_number_names_the_photo(tmp_path: Path) -> None:
    with pytest.raises(Internal, match=r"the render of 0\.png is not finite"):
        run(tmp_path, PretendEngine(greys=[float("nan")]))


def test_the_random_background_is_another_one_every_step(tmp_path: Path) -> None:
    engine = PretendEngine(greys=RISING)

    run(tmp_path, engine, replace(OPTIONS, background=Background.RANDOM))

    assert len({objective.background for objective in engine.objectives}) == 40


@pytest.mark.parametrize(("background", "value"), [(Background.BLACK, 0.0), (Background.WHITE, 1.0)])
def test_a_plain_background_stays(tmp_path: Path, background: Background, value: float) -> None:
    engine = PretendEngine(greys=RISING)

    run(tmp_path, engine, replace(OPTIONS, background=background))

    assert {objective.background for objective in engine.objectives} == {(value, value, value)}


def test_mcmc_walks_after_every_step_and_penalises(tmp_path: Path) -> None:
    engine = PretendEngine(greys=RISING)

    run(tmp_path, engine, strategy=MarkovChainMonteCarlo(100, 0, 0.005))

    assert len({seed for _, seed in engine.walks}) == 40
    assert {(o.opacity_penalty, o.scale_penalty) for o in engine.objectives} == {(0.01, 0.01)}


def test_adc_neither_walks_nor_penalises(tmp_path: Path) -> None:
    engine = PretendEngine(greys=RISING)

    run(tmp_path, engine)

    assert engine.walks == []
    assert {(o.opacity_penalty, o.scale_penalty) for o in engine.objectives} == {(0.0, 0.0)}


def test_exposures_are_learned_where_they_are_asked_for(tmp_path: Path) -> None:
    learned = run(tmp_path, PretendEngine(greys=RISING), replace(OPTIONS, exposure=True)).exposures
    ignored = run(tmp_path, PretendEngine(greys=RISING)).exposures

    assert learned is not None
    assert ignored is None


def test_a_held_out_photo_that_joins_does_not_move_the_exposures_of_the_others(tmp_path: Path) -> None:
    bright = Exposures(4)
    bright.set(0, np.full(3, 2.0), np.zeros(3))

    result = run(
        tmp_path,
        PretendEngine(greys=RISING),
        replace(OPTIONS, exposure=True),
        training=range(4),
        exposures=bright,
    )

    assert result.exposures is not None
    others = np.mean([result.exposures[photo] for photo in (1, 2, 3)], axis=0)
    np.testing.assert_allclose(others, np.eye(3, 4), atol=1e-5)


class _Shown:
    """Wants something every so many asks, and remembers it."""

    def __init__(self, every: int) -> None:
        self._every, self._asks = every, 0
        self.put_so_far: list[tuple[str, bytes]] = []

    def due(self, seconds: float) -> bool:
        self._asks += 1
        return self._asks % self._every == 0

    def put(self, name: str, data: bytes) -> None:
        self.put_so_far.append((name, data))


def test_a_preview_is_shown_whenever_one_is_due(tmp_path: Path) -> None:
    shown = _Shown(every=10)

    run(tmp_path, PretendEngine(greys=RISING), live=shown)

    assert [name for name, _ in shown.put_so_far] == ["preview.jpg"] * 4
    assert all(data.startswith(b"\xff\xd8") for _, data in shown.put_so_far)
