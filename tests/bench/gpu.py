"""How much sooner the gsplat engine gets a capture as good as gsplat's own recipe does, on this GPU.

    python -m tests.bench.gpu COLMAP [--scaled 0.25] [--max-side 1920] [--gaussians 1000000]

COLMAP is sfm's output, as ``splatworks run`` leaves it. The recipe (``simple_trainer.py`` beside this file)
is run first, and the PSNR it ends with, of every eighth photo, is what a run of the trainer is then asked to
reach. The recipe's seconds are those of its steps alone; the trainer's are those of the whole stage, loading,
evaluating and writing included. The goal is a ratio of at most 0.5.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from splatworks_common.progress import silent
from splatworks_trainer.colmap import read_model
from splatworks_trainer.config import STANDARD, EngineName, Holdout
from splatworks_trainer.engines.gpu import gpu_name, gpu_problem
from splatworks_trainer.holdout import choose_held_out
from splatworks_trainer.initial import FirstLook, scene_scale, splats_from_points
from splatworks_trainer.train import train
from splatworks_trainer.views import Photos
from tests.bench.stage import THREADS

EVERY = 8


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints both runs and their ratio."""
    parser = argparse.ArgumentParser(description="The gsplat engine beside gsplat's own recipe.")
    parser.add_argument("colmap", type=Path, help="sfm's output")
    parser.add_argument("--scaled", type=float, default=1.0, help="factor on the recipe's 30,000 steps")
    parser.add_argument("--max-side", type=int, default=1920, help="longest side of the photos, pixels")
    parser.add_argument("--gaussians", type=int, default=1_000_000, help="the trainer's budget")
    chosen = parser.parse_args(arguments)
    problem = gpu_problem()
    if problem:
        raise SystemExit(f"needs a CUDA GPU: {problem}")

    from tests.bench.simple_trainer import Shot, simple_trainer

    model = read_model(chosen.colmap / "dense/sparse")
    cameras = choose_held_out(model, Holdout.EVERY_N, EVERY)
    photos = Photos(chosen.colmap / "dense/images", cameras, max_side=chosen.max_side)
    views = [photos.at(index) for index in range(len(photos))]
    shots = [Shot.of(view.camera, view.photo) for view in views]
    initial = splats_from_points(
        model.points,
        model.colors,
        cameras,
        look=FirstLook(opacity=0.1, shrink=1.0),
        sh_degree=3,
        max_gaussians=10_000_000,
        rng=np.random.default_rng(0),
    )
    recipe = simple_trainer(
        initial,
        [shots[index] for index in photos.training],
        [shots[index] for index in photos.held_out],
        scene_scale=scene_scale(cameras, model.points),
        scaled=chosen.scaled,
    )
    print(f"{gpu_name()}, {len(photos)} photos, at most {chosen.max_side} pixels a side")
    print(f"recipe:  {recipe.psnr:.2f} dB, {recipe.gaussians:,} Gaussians, {recipe.seconds:.1f} s of steps")

    options = replace(
        STANDARD,
        engine=EngineName.GSPLAT,
        require_gpu=True,
        holdout=Holdout.EVERY_N,
        hold_out_every=EVERY,
        max_image_side=chosen.max_side,
        max_gaussians=chosen.gaussians,
        max_steps=round(30_000 * chosen.scaled),
        evaluations=40,
        plateau_patience=0,
        target_psnr=recipe.psnr,
        polish=0.0,
    )
    with tempfile.TemporaryDirectory() as output:
        ours = train(chosen.colmap, Path(output), options, silent, THREADS)
    assert ours.psnr is not None
    print(f"trainer: {ours.psnr:.2f} dB, {ours.gaussians:,} Gaussians, {ours.seconds:.1f} s in all")
    if ours.psnr < recipe.psnr:
        raise SystemExit("the trainer did not get there; the times can not be compared")
    print(f"ratio:   {ours.seconds / recipe.seconds:.2f} (goal: at most 0.5)")


if __name__ == "__main__":
    main()
