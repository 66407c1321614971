"""Whole runs with the gsplat engine: its own code on a CPU, a slow rasterizer in the place of gsplat's."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch")

from splatworks_common.ply import read_ply
from splatworks_common.progress import silent
from splatworks_common.reasons import Preempted
from splatworks_trainer.config import StrategyName
from splatworks_trainer.engines.gsplat import GsplatEngine
from splatworks_trainer.train import train
from tests.checkpoints import PausingCheckpoint
from tests.integration.trainer.conftest import SMALL
from tests.unit.trainer.gsplat.engines import torch_kernels

OPTIONS = replace(
    SMALL,
    max_steps=16,
    max_image_side=32,
    max_gaussians=150,
    fill_gaps=False,
    exposure=True,
    densify_rounds=3,
    densify_start=0.2,
    evaluations=2,
    resolution_schedule=((1.0, 0.0),),
    sh_schedule=(0.3,),
    sh_degree=1,
    prune_significance=0.01,
)

make_engine = partial(GsplatEngine, device="cpu", kernels=torch_kernels())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("strategy", [StrategyName.ADC, StrategyName.MCMC])
def test_a_run_that_was_cut_short_ends_as_if_it_had_not_been(
    capture: Path, tmp_path: Path, strategy: StrategyName
) -> None:
    options = replace(OPTIONS, strategy=strategy)
    whole = train(capture, tmp_path / "whole", options, silent, 1, make_engine=make_engine)
    stopping = PausingCheckpoint(tmp_path, stop_at=10)
    with pytest.raises(Preempted):
        train(capture, tmp_path / "cut", options, silent, 1, checkpoint=stopping, make_engine=make_engine)

    resumed = train(
        capture,
        tmp_path / "resumed",
        options,
        silent,
        1,
        checkpoint=PausingCheckpoint(tmp_path, loaded=stopping.saved),
        make_engine=make_engine,
    )

    assert len(read_ply(tmp_path / "whole/model.ply")) == whole.gaussians > 100
    assert (resumed.psnr, resumed.gaussians, resumed.steps) == (whole.psnr, whole.gaussians, 16)
    assert (tmp_path / "resumed/model.ply").read_bytes() == (tmp_path / "whole/model.ply").read_bytes()
