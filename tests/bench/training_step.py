"""Milliseconds of one training step: render, loss, backward, Adam, statistics.

python tests/bench/training_step.py [--threads 1 2] [--repeats 15] [--ply model.ply] [--json FILE]
    [--ssim-weight 0] [--sh-degree 0]

The scene is made up to cost what a trained one costs: three quarters of the Gaussians on the image, about
three tiles for each at 270 x 480, long tails in size and opacity, 50 to 100 Gaussians a pixel. CPU time
counts all threads and is what to compare on a machine that others use as well; wall time means something only
on an idle one.

The last column has reference figures, AMD Zen 5, AVX-512, one thread, of a trained phone capture. Before
comparing with them, or the figures of any two machines, scale by the multiply-add peak of a core, which is
measured by a kernel of nothing else and printed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from splatworks_common.cameras import Camera
from splatworks_common.splats import Splats
from splatworks_rasterizer import ISA, GaussianModel, Objective, Rates
from splatworks_rasterizer.native import kernels

REFERENCE_CPU_MS = {
    (20_000, 270): 16.5,
    (20_000, 540): 51.0,
    (50_000, 270): 28.0,
    (50_000, 540): 76.0,
    (200_000, 270): 79.0,
    (200_000, 540): 159.0,
}
REFERENCE_PEAK_GFLOPS = 289.0
SIZES = ((270, 480), (540, 960))

OBJECTIVE = Objective(sh_degree=3, ssim_weight=0.2)


def synthetic_splats(count: int, seed: int = 0) -> Splats:
    """Gaussians on the walls of a room and on a few balls in it, sized by how densely they cover those."""
    rng = np.random.default_rng(seed)
    on_wall = rng.random(count) < 0.5
    walls = rng.uniform(-1, 1, (count, 3)) * [2.2, 3.6, 3.0] + [0, 0, 4.0]
    side = rng.integers(0, 3, count)
    walls[side == 0, 2] = 6.5
    walls[side == 1, 0] = np.where(rng.random(np.count_nonzero(side == 1)) < 0.5, -2.0, 2.0)
    walls[side == 2, 1] = 2.5
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    centres = rng.uniform(-1, 1, (6, 3)) * [0.9, 1.6, 0.8] + [0, 0, 3.5]
    ball = rng.integers(0, 6, count)
    balls = centres[ball] + direction * (0.3 + 0.12 * ball[:, None])
    means = np.where(on_wall[:, None], walls, balls) + rng.normal(scale=0.02, size=(count, 3))

    spacing = 3.7 / np.sqrt(count)
    log_scales = np.log(spacing) + rng.normal(scale=0.95, size=(count, 3))
    log_scales[np.arange(count), rng.integers(0, 3, count)] -= 1.5
    return Splats(
        means=means.astype(np.float32),
        log_scales=log_scales.astype(np.float32),
        quats=rng.normal(size=(count, 4)).astype(np.float32),
        opacities=rng.normal(loc=-0.8, scale=1.8, size=count).astype(np.float32),
        sh0=rng.normal(scale=0.8, size=(count, 3)).astype(np.float32),
        shN=rng.normal(scale=0.06, size=(count, 15, 3)).astype(np.float32),
    )


def upright_camera(width: int, height: int) -> Camera:
    """A phone held upright at the origin."""
    focal = 1.28 * width
    return Camera("bench", np.eye(4), focal, focal, width / 2, height / 2, width, height)


@dataclass(frozen=True)
class Row:
    """What a step costs in one case: milliseconds, medians."""

    gaussians: int
    width: int
    height: int
    threads: int
    cpu_ms: float
    wall_ms: float
    reference_cpu_ms: float | None
    """Of the reference machine, where there is a figure; `REFERENCE_PEAK_GFLOPS` says how fast that is."""


def peak_gflops() -> float:
    """What one core does at best in single precision with the instruction set in use.

    The most of several runs of nothing but multiply-adds in registers, by CPU time.
    """
    rounds = 1_000_000
    rates = []
    for _ in range(9):
        start = time.process_time()
        operations = kernels.spin_multiply_add(rounds)
        rates.append(1e-9 * operations / (time.process_time() - start))
    return max(rates)


def step_times(
    splats: Splats, camera: Camera, threads: int, repeats: int, objective: Objective
) -> tuple[float, float]:
    """Median CPU and wall milliseconds of a step. Rates of zero keep the scene as it is, at the full cost."""
    model = GaussianModel(splats, capacity=len(splats), threads=threads)
    photo = np.random.default_rng(1).integers(0, 256, (camera.height, camera.width, 3), dtype=np.uint8)
    still = Rates(0, 0, 0, 0, 0, 0)
    cpu, wall = [], []
    for _ in range(repeats + 2):
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        model.step(camera, photo, still, objective)
        cpu.append(time.process_time() - cpu_start)
        wall.append(time.perf_counter() - wall_start)
    return 1e3 * median(cpu[2:]), 1e3 * median(wall[2:])


def measure(
    scenes: Sequence[Splats], threads: Sequence[int], repeats: int, objective: Objective = OBJECTIVE
) -> Iterator[Row]:
    """The table, row by row as it is measured."""
    for splats in scenes:
        for width, height in SIZES:
            reference = REFERENCE_CPU_MS.get((len(splats), width))
            for count in threads:
                cpu, wall = step_times(splats, upright_camera(width, height), count, repeats, objective)
                shown = reference if count == 1 else None
                yield Row(len(splats), width, height, count, cpu, wall, shown)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Milliseconds of one training step.")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="thread counts to measure")
    parser.add_argument("--repeats", type=int, default=15, help="steps measured; the median counts")
    parser.add_argument("--sh-degree", type=int, default=OBJECTIVE.sh_degree, help="bands that train")
    parser.add_argument("--ssim-weight", type=float, default=OBJECTIVE.ssim_weight, help="0 is L1 alone")
    parser.add_argument("--ply", type=Path, help="a trained scene in place of the made-up ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    options = parser.parse_args(arguments)

    if options.ply:
        from splatworks_common.ply import read_ply

        scenes = [read_ply(options.ply)]
    else:
        scenes = [synthetic_splats(count) for count in (20_000, 50_000, 200_000)]
    peak = peak_gflops()
    objective = Objective(sh_degree=options.sh_degree, ssim_weight=options.ssim_weight)
    print(
        f"instruction set {ISA}, SH degree {objective.sh_degree}, SSIM weight {objective.ssim_weight}, "
        f"median of {options.repeats} steps"
    )
    print(f"multiply-add peak {peak:.0f} GFlop/s a core (reference machine {REFERENCE_PEAK_GFLOPS:.0f})")
    line = "{:>9}  {:>9}  {:>7}  {:>7}  {:>7}  {:>16}"
    print(line.format("Gaussians", "size", "threads", "CPU ms", "wall ms", "reference CPU ms"))
    rows = []
    for row in measure(scenes, options.threads, options.repeats, objective):
        rows.append(asdict(row))
        shown = "-" if row.reference_cpu_ms is None else f"{row.reference_cpu_ms:.1f}"
        size = f"{row.width}x{row.height}"
        times = (f"{row.cpu_ms:.1f}", f"{row.wall_ms:.1f}")
        print(line.format(row.gaussians, size, row.threads, *times, shown), flush=True)
    if options.json:
        figures = {"isa": ISA, "peak_gflops": peak, "repeats": options.repeats, "rows": rows}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
