from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from splatworks_common.checkpoints import NO_CHECKPOINT
from splatworks_common.live import NOTHING_LIVE
from splatworks_common.progress import silent
from splatworks_common.reasons import Internal
from splatworks_trainer.adc import AdaptiveDensityControl
from splatworks_trainer.engine import Edit, Objective
from splatworks_trainer.engines.native import NativeEngine
from splatworks_trainer.fit import Surroundings, fit
from splatworks_trainer.log import TrainingLog
from splatworks_trainer.schedule import Schedule
from splatworks_trainer.state import Position
from splatworks_trainer.views import Photos
from tests.integration.trainer.conftest import PHOTOS, SMALL, WIDTH, camera_around, coloured_ball

STRATEGY = AdaptiveDensityControl(
    max_gaussians=1000, whole_budget_at=0, grow_gradient=2e-4, split_length=0.1, prune_opacity=0.005
)


def engine_for(spoil: str | None = None) -> NativeEngine:
    splats, _ = coloured_ball()
    if spoil:
        getattr(splats, spoil)[3] = np.nan
    return NativeEngine(splats, capacity=1000, threads=2)


def photos_of(capture: Path) -> Photos:
    return Photos(capture / "dense/images", [camera_around(i) for i in range(PHOTOS)], max_side=WIDTH)


@pytest.mark.parametrize("parameter", ["means", "log_scales", "quats", "opacities", "sh0"])
def test_a_poisoned_parameter_ends_the_run_with_its_name(
    capture: Path, tmp_path: Path, parameter: str
) -> None:
    photos = photos_of(capture)
    with (
        TrainingLog(tmp_path / "training.log", lambda: 0.0) as log,
        pytest.raises(Internal, match=rf"training step 0: not finite are .*\b{parameter} of"),
    ):
        fit(
            engine_for(parameter),
            STRATEGY,
            Schedule(20, 1.0, replace(SMALL, max_steps=20)),
            photos,
            photos.training,
            Position(np.random.default_rng(0)),
            Surroundings(2, silent, log, NO_CHECKPOINT, NOTHING_LIVE, tmp_path),
        )


def test_an_edit_drops_adds_and_starts_the_statistics_anew(capture: Path) -> None:
    engine = engine_for()
    view = photos_of(capture).at(0)
    engine.step(view.camera, view.photo, Schedule(20, 1.0, SMALL).rates(0), Objective(0, 0.2))
    before = engine.splats()
    keep = np.arange(len(before)) % 2 == 0
    added = before.take(np.array([1, 3, 5]))

    engine.apply(Edit(keep, added))

    after = engine.splats()
    assert engine.count == len(after) == keep.sum() + 3
    np.testing.assert_array_equal(after.means, np.concatenate([before.means[keep], added.means]))
    assert not engine.statistics().views.any()
