"""Whole runs on a GPU: a real capture, resuming, cancelling, and memory that runs out."""

from __future__ import annotations

import json
import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from splatworks_common.progress import silent
from splatworks_common.reasons import OutOfMemory, Preempted
from splatworks_trainer.config import STANDARD, EngineName, Holdout, StrategyName
from splatworks_trainer.engine import Edit
from splatworks_trainer.train import train
from tests.checkpoints import PausingCheckpoint
from tests.integration.trainer.conftest import SMALL
from tests.unit.rasterizer.scenes import random_splats, turned_camera

ON_GPU = replace(SMALL, engine=EngineName.GSPLAT, require_gpu=True)
FREED_BYTES = 64 << 20
DEADLINE_SECONDS = 30


@pytest.mark.timeout(900)
@pytest.mark.parametrize("strategy", [StrategyName.ADC, StrategyName.MCMC])
def test_fox_looks_as_it_does_on_a_cpu(fox: Path, tmp_path: Path, strategy: StrategyName) -> None:
    """The native engine gets 31 dB with these options."""
    options = replace(
        STANDARD,
        engine=EngineName.GSPLAT,
        require_gpu=True,
        strategy=strategy,
        holdout=Holdout.EVERY_N,
        hold_out_every=8,
    )

    summary = train(fox, tmp_path, options, silent, threads=8)

    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["engine"] == "gsplat"
    assert summary.psnr is not None
    assert summary.psnr > 30


@pytest.mark.parametrize("strategy", [StrategyName.ADC, StrategyName.MCMC])
def test_a_run_that_was_cut_short_goes_on(capture: Path, tmp_path: Path, strategy: StrategyName) -> None:
    options = replace(ON_GPU, strategy=strategy)
    whole = train(capture, tmp_path / "whole", options, silent, 2)
    stopping = PausingCheckpoint(tmp_path, stop_at=200)
    with pytest.raises(Preempted):
        train(capture, tmp_path / "cut", options, silent, 2, checkpoint=stopping)

    resumed = train(
        capture,
        tmp_path / "resumed",
        options,
        silent,
        2,
        checkpoint=PausingCheckpoint(tmp_path, loaded=stopping.saved),
    )

    lines = [json.loads(line) for line in (tmp_path / "resumed/training.log").read_text().splitlines()]
    assert [line["step"] for line in lines if line["event"] == "resume"] == [199]
    assert resumed.steps == whole.steps
    # gsplat adds in no fixed order, so two runs are never the same to the last bit.
    assert resumed.psnr == pytest.approx(whole.psnr, abs=0.7)


def _train_for_ever(capture: Path, output: Path, started: multiprocessing.synchronize.Event) -> None:
    """In a process of its own, as the worker runs it."""
    options = replace(ON_GPU, max_steps=200_000, evaluations=1)
    train(capture, output, options, lambda update: started.set() if update.step == "train" else None, 2)


def test_a_cancelled_run_gives_its_memory_back(capture: Path, tmp_path: Path) -> None:
    import torch

    context = multiprocessing.get_context("spawn")
    started = context.Event()
    process = context.Process(target=_train_for_ever, args=(capture, tmp_path, started))
    process.start()
    try:
        assert started.wait(DEADLINE_SECONDS * 4), "it never began"
        used, _ = torch.cuda.mem_get_info()
    finally:
        process.kill()  # what a worker does to an operation that is cancelled
        process.join(DEADLINE_SECONDS)

    assert process.exitcode is not None
    deadline = time.monotonic() + DEADLINE_SECONDS
    while torch.cuda.mem_get_info()[0] < used + FREED_BYTES and time.monotonic() < deadline:
        time.sleep(0.05)
    assert torch.cuda.mem_get_info()[0] >= used + FREED_BYTES


@pytest.fixture
def little_memory():
    """What this process may use of the GPU: what it has already, and 200 MB."""
    import torch

    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (200 << 20)) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.mark.usefixtures("little_memory")
def test_memory_that_runs_out_is_told_with_the_remedy_and_the_engine_lives_on() -> None:
    from splatworks_trainer.engines.gsplat import GsplatEngine

    few = random_splats(1000)
    many = random_splats(1_000_000)
    with pytest.raises(OutOfMemory, match=r"1,000,000 Gaussians; lower max_gaussians or max_image_side"):
        GsplatEngine(many, capacity=len(many), threads=1)

    engine = GsplatEngine(few, capacity=len(many) + len(few), threads=1)
    with pytest.raises(OutOfMemory, match="max_gaussians"):
        engine.apply(Edit(np.ones(len(few), bool), many))

    assert engine.count == len(few)
    assert engine.render(turned_camera(64, 48)).any()


def test_options_of_the_gpu_reach_the_log(capture: Path, tmp_path: Path) -> None:
    options = replace(ON_GPU, max_steps=20, absgrad=True, densify_grow_gradient=8e-4, antialiased=True)

    train(capture, tmp_path, options, silent, 2)

    begin = json.loads((tmp_path / "training.log").read_text().splitlines()[0])
    assert (begin["engine"], begin["options"]["absgrad"]) == ("gsplat", True)
