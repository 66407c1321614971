"""A run that is cut short and goes on from its checkpoint ends as if it had not been."""

from __future__ import annotations

import itertools
import json
import logging
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from splatworks_common.progress import Update, silent
from splatworks_common.reasons import Preempted
from splatworks_trainer.config import Background, PlateauMetric, StrategyName, TrainOptions
from splatworks_trainer.engine import EngineFactory, StepResult
from splatworks_trainer.engines.native import NativeEngine
from splatworks_trainer.state import read_state
from splatworks_trainer.train import TrainSummary, train
from tests.checkpoints import PausingCheckpoint
from tests.integration.trainer.conftest import SMALL

OPTIONS = replace(
    SMALL,
    max_steps=80,
    densify_start=0.1,
    densify_until=0.5,
    densify_rounds=4,
    evaluations=6,
    sh_schedule=(0.2, 0.4),
    prune_significance=0.001,
    polish=0.25,
)
EVERYTHING = replace(
    OPTIONS,
    strategy=StrategyName.MCMC,
    exposure=True,
    background=Background.RANDOM,
    antialiased=True,
    plateau_metric=PlateauMetric.COVERED_PSNR,
)
STOPS = {
    "at the first step": 1,
    "before the first edit": 8,
    "right after it": 9,
    "between two edits": 13,
    "after an evaluation": 15,
    "when the number of Gaussians is fixed": 42,
    "before the last step": 80,
    "at the first step of the polish": 81,
    "in the polish": 92,
}


@pytest.fixture(scope="module")
def whole(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainSummary]:
    output = tmp_path_factory.mktemp("whole")
    return output, train(capture, output, OPTIONS, silent, 2)


def stopped(
    capture: Path, folder: Path, at: int, loaded: Path | None = None, options: TrainOptions = OPTIONS
) -> Path:
    """Runs up to the ask of that number; returns the state that was kept."""
    checkpoint = PausingCheckpoint(folder, at, loaded)
    with pytest.raises(Preempted):
        train(capture, folder / "stopped", options, silent, 1, checkpoint=checkpoint)
    assert checkpoint.saved is not None
    return checkpoint.saved


def lines_of(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("at", STOPS.values(), ids=STOPS.keys())
@pytest.mark.parametrize("threads", [1, 2])
def test_the_model_is_that_of_an_uninterrupted_run(
    capture: Path, tmp_path: Path, whole: tuple[Path, TrainSummary], at: int, threads: int
) -> None:
    saved = stopped(capture, tmp_path, at)

    summary = train(
        capture, tmp_path / "out", OPTIONS, silent, threads, checkpoint=PausingCheckpoint(tmp_path, 0, saved)
    )

    output, expected = whole
    assert (tmp_path / "out/model.ply").read_bytes() == (output / "model.ply").read_bytes()
    same = ("psnr", "ssim", "gaussians", "steps", "stop_reason")
    assert [getattr(summary, name) for name in same] == [getattr(expected, name) for name in same]


@pytest.mark.parametrize("at", [1, 30, 60, 95])
def test_every_option_goes_on_to_the_last_bit(capture: Path, tmp_path: Path, at: int) -> None:
    train(capture, tmp_path / "whole", EVERYTHING, silent, 2)
    saved = stopped(capture, tmp_path, at, options=EVERYTHING)

    train(capture, tmp_path / "out", EVERYTHING, silent, 2, checkpoint=PausingCheckpoint(tmp_path, 0, saved))

    assert (tmp_path / "out/model.ply").read_bytes() == (tmp_path / "whole/model.ply").read_bytes()


def feverish(*at: int, factor: float = 1e4) -> EngineFactory:
    """Makes native engines that tell a larger error at the steps of these numbers, counted over all."""
    calls = itertools.count(1)

    class Feverish(NativeEngine):
        def step(self, *args: Any, **kwargs: Any) -> StepResult:
            result = super().step(*args, **kwargs)
            return replace(result, mse=factor * result.mse) if next(calls) in at else result

    return Feverish


ASTRAY = replace(OPTIONS, max_steps=300, resolution_schedule=((1.0, 0.0),))


def test_a_run_that_was_set_back_goes_on_to_the_last_bit(capture: Path, tmp_path: Path) -> None:
    train(capture, tmp_path / "whole", ASTRAY, silent, 2, make_engine=feverish(200))
    checkpoint = PausingCheckpoint(tmp_path, 230)
    with pytest.raises(Preempted):
        train(
            capture, tmp_path / "stopped", ASTRAY, silent, 2, checkpoint=checkpoint, make_engine=feverish(200)
        )

    after = PausingCheckpoint(tmp_path, 0, checkpoint.saved)
    train(capture, tmp_path / "out", ASTRAY, silent, 2, checkpoint=after)

    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    restarts = [line for line in lines_of(tmp_path / "out/training.log") if line["event"] == "restart"]
    assert (metrics["rate_factor"], len(restarts)) == (0.5, 1)
    assert (tmp_path / "out/model.ply").read_bytes() == (tmp_path / "whole/model.ply").read_bytes()


def test_a_run_that_was_cut_short_while_its_error_was_high_can_still_be_set_back(
    capture: Path, tmp_path: Path
) -> None:
    # The mean must come to lie between two and four times the lowest: worse than sound, no reason to stop.
    checkpoint, warm = PausingCheckpoint(tmp_path, 203), feverish(200, factor=280)
    with pytest.raises(Preempted):
        train(capture, tmp_path / "stopped", ASTRAY, silent, 2, checkpoint=checkpoint, make_engine=warm)
    assert checkpoint.saved is not None
    assert not read_state(checkpoint.saved).position.trend.is_sound

    after = PausingCheckpoint(tmp_path, 0, checkpoint.saved)
    train(capture, tmp_path / "out", ASTRAY, silent, 2, checkpoint=after, make_engine=feverish(5))

    events = [line["event"] for line in lines_of(tmp_path / "out/training.log")]
    assert events.count("restart") == 1


def test_a_polish_that_goes_astray_leaves_the_model_that_was_measured(capture: Path, tmp_path: Path) -> None:
    options = replace(ASTRAY, polish=1.0)

    summary = train(capture, tmp_path, options, silent, 2, make_engine=feverish(200, 480))

    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["polish_steps"] == 0
    assert summary.psnr is not None


def test_a_run_may_be_cut_short_again_and_again(
    capture: Path, tmp_path: Path, whole: tuple[Path, TrainSummary]
) -> None:
    saved = None
    for attempt in range(4):
        saved = stopped(capture, tmp_path / str(attempt), 18, saved)

    train(capture, tmp_path / "out", OPTIONS, silent, 2, checkpoint=PausingCheckpoint(tmp_path, 0, saved))

    assert (tmp_path / "out/model.ply").read_bytes() == (whole[0] / "model.ply").read_bytes()


def test_the_log_goes_on_and_says_where(
    capture: Path, tmp_path: Path, whole: tuple[Path, TrainSummary]
) -> None:
    saved = stopped(capture, tmp_path, 31)

    train(capture, tmp_path / "out", OPTIONS, silent, 2, checkpoint=PausingCheckpoint(tmp_path, 0, saved))

    lines = lines_of(tmp_path / "out/training.log")
    assert [(line["event"], line.get("step")) for line in lines if line["event"] != "resume"] == [
        (line["event"], line.get("step")) for line in lines_of(whole[0] / "training.log")
    ]
    assert [line["step"] for line in lines if line["event"] == "resume"] == [30]
    assert all(a["seconds"] <= b["seconds"] for a, b in pairwise(lines))  # type: ignore[operator]


def test_progress_says_that_the_run_goes_on(capture: Path, tmp_path: Path) -> None:
    saved = stopped(capture, tmp_path, 31)
    updates: list[Update] = []

    train(
        capture,
        tmp_path / "out",
        OPTIONS,
        updates.append,
        2,
        checkpoint=PausingCheckpoint(tmp_path, 0, saved),
    )

    training = [update for update in updates if update.step == "train"]
    assert (training[0].message, training[0].done) == ("Continued from step 30", 30)
    assert {(update.metrics["resumed_from_step"], update.resumed) for update in training} == {(30, 30)}
    assert {update.resumed_share for update in training} == {training[0].share}


def test_a_state_that_can_not_be_used_is_not_and_the_run_begins_anew(
    capture: Path, tmp_path: Path, whole: tuple[Path, TrainSummary], caplog: pytest.LogCaptureFixture
) -> None:
    saved = stopped(capture, tmp_path, 31)
    (saved / "engine.steps.npy").unlink()

    with caplog.at_level(logging.WARNING):
        train(capture, tmp_path / "out", OPTIONS, silent, 2, checkpoint=PausingCheckpoint(tmp_path, 0, saved))

    assert "training begins anew" in caplog.text
    assert (tmp_path / "out/model.ply").read_bytes() == (whole[0] / "model.ply").read_bytes()
