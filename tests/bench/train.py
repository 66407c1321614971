"""``make bench-train``: how fast training is, and how good its scenes are, in one sitting.

Three tables: milliseconds of a training step; seconds until held-out photos of a capture reach a PSNR; and
whole runs of ``splatworks run`` from photos to the published scene. Held-out is every eighth photo, as
papers have it. Times are of this machine beside whatever else it does. Its FMA peak is printed, by which two
machines may be compared.

    python -m tests.bench.train [--json FILE] [--markdown FILE] [--threads N] [--captures DIR]

``--markdown`` writes the tables between the marks in that file (``docs/benchmarks.md``).
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from splatworks_common.progress import silent
from splatworks_rasterizer import ISA
from splatworks_trainer.config import STANDARD, EngineName, Holdout, TrainOptions
from tests.bench import training_step
from tests.bench.pipeline import CAPTURES, REPOSITORY
from tests.bench.stage import THREADS

STEP_GOALS_MS = {(50_000, 270): 18, (50_000, 540): 40, (200_000, 540): 90}
"""Wall time of a step on two threads, by Gaussians and width."""


@dataclass(frozen=True)
class RunGoal:
    """What a whole run should come to, of what there is a goal for: seconds on two cores, and dB."""

    seconds: float | None = None
    psnr: float | None = None
    covered_psnr: float | None = None


RUN_GOALS = {
    ("sample", "draft"): RunGoal(seconds=90),
    ("fox", "draft"): RunGoal(seconds=90),
    ("brighton", "draft"): RunGoal(seconds=90),
    ("sample", "standard"): RunGoal(psnr=30),
    ("fox", "standard"): RunGoal(seconds=180, psnr=30),
    ("brighton", "standard"): RunGoal(psnr=17.5, covered_psnr=22.3),
    ("fox", "high"): RunGoal(psnr=31),
}
"""The whole runs that are measured, by capture and profile."""

_REPEATS = 15
"""Steps that are timed."""
_RACE_REPEATS = 3
"""Runs of a race."""

BEGIN, END = "<!-- bench-train: begin -->", "<!-- bench-train: end -->"


@dataclass(frozen=True)
class Race:
    """One run to a PSNR.

    Attributes:
        capture: Which capture.
        max_side: Longest side of the photos, pixels.
        target: The held-out PSNR to reach, dB.
        goal_seconds: The time it should take on two cores, where there is a goal.
        steps: The schedule's length: the shorter it is, the sooner it gets anywhere, and the less far.
        max_gaussians: The budget.
        evaluations: How often the held-out photos are looked at; each look takes as long as some steps.
        levels: Sizes of the photos, and the share of the run from which each holds. Such a run begins at
            sparse points alone, which takes no time; with None it begins as the profile does, and has its
            sizes.
    """

    capture: str
    max_side: int
    target: float
    goal_seconds: float | None
    steps: int
    max_gaussians: int
    evaluations: int
    levels: tuple[tuple[float, float], ...] | None = None


_EARLY = ((0.25, 0.0), (0.5, 0.1), (1.0, 0.4))
_LATE = ((0.125, 0.0), (0.25, 0.15), (0.5, 0.4), (1.0, 0.8))
_LAST = ((0.25, 0.0), (0.5, 0.45), (1.0, 0.92))

RACES = (
    Race("fox", 480, 25, 3, steps=260, max_gaussians=22_000, evaluations=1, levels=_LAST),
    Race("fox", 480, 28, 5, steps=400, max_gaussians=36_000, evaluations=8, levels=_EARLY),
    Race("fox", 480, 30, 15, steps=1400, max_gaussians=60_000, evaluations=20, levels=_EARLY),
    Race("fox", 960, 25, 3, steps=260, max_gaussians=22_000, evaluations=1, levels=_LAST),
    Race("fox", 960, 28, 8, steps=560, max_gaussians=45_000, evaluations=10, levels=_LATE),
    Race("fox", 960, 30, 45, steps=1600, max_gaussians=100_000, evaluations=16, levels=_LATE),
    Race("sample", 960, 25, None, steps=400, max_gaussians=80_000, evaluations=8),
    Race("sample", 960, 28, None, steps=900, max_gaussians=160_000, evaluations=12),
    Race("brighton", 960, 17, None, steps=500, max_gaussians=120_000, evaluations=10),
)


def as_papers_do(options: TrainOptions) -> TrainOptions:
    """The options with every eighth photo held out."""
    return replace(options, holdout=Holdout.EVERY_N, hold_out_every=8)


def race_options(race: Race) -> TrainOptions:
    """Those of the standard profile, but for what the race says and what would only make it longer."""
    start = replace(STANDARD, dense_start=0.0, fill_gaps=False) if race.levels else STANDARD
    return replace(
        as_papers_do(start),
        max_steps=race.steps,
        max_image_side=race.max_side,
        max_gaussians=race.max_gaussians,
        engine=EngineName.NATIVE,
        resolution_schedule=race.levels,
        target_psnr=race.target,
        evaluations=race.evaluations,
        plateau_patience=0,
        polish=0.0,
    )


def run(colmap: Path, race: Race) -> dict[str, Any]:
    """How a race ends; seconds are the median of some runs, which differ in nothing else."""
    results = [train(colmap, race_options(race)) for _ in range(_RACE_REPEATS)]
    metrics = results[0]
    reached = metrics["stop_reason"] == "target_psnr"
    return {
        "seconds": median(result["fit_seconds"] for result in results) if reached else None,
        "step": metrics["fit_step"],
        "psnr": metrics["psnr"],
        "gaussians": metrics["gaussians"],
    }


def train(colmap: Path, options: TrainOptions) -> dict[str, Any]:
    """One training in a process of its own; its ``metrics.json`` with seconds to the end of fitting."""
    with tempfile.TemporaryDirectory() as folder:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            process.submit(_train, colmap, Path(folder), options).result()
        metrics: dict[str, Any] = json.loads((Path(folder) / "metrics.json").read_text())
        lines = [json.loads(line) for line in (Path(folder) / "training.log").read_text().splitlines()]
    fitted = next(line for line in lines if line["event"] == "stop")
    return metrics | {"fit_seconds": fitted["seconds"], "fit_step": fitted["step"]}


def _train(colmap: Path, output: Path, options: TrainOptions) -> None:
    from splatworks_trainer.train import train as train_scene

    train_scene(colmap, output, options, silent, threads=THREADS)


def whole_run(photos: Path, profile: str) -> dict[str, Any]:
    """From photos to the published scene, with one command; without torch, whose memory would count."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "splatworks_operator", "run", str(photos), "-o", folder]
        began = time.monotonic()
        subprocess.run(
            [*command, "--profile", profile, "--hold-out-every", "8", "--set", "train.engine=Native"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=REPOSITORY,
        )
        seconds = time.monotonic() - began
        metrics = json.loads((Path(folder) / "gaussian" / "metrics.json").read_text())
        summary = json.loads((Path(folder) / "compressed" / "summary.json").read_text())
    kept = ("psnr", "compensated_psnr", "covered_psnr", "ssim", "gaussians", "steps", "peak_memory_bytes")
    return {
        "seconds": seconds,
        "train_seconds": metrics["seconds"],
        "bytes": summary["size_bytes"],
        **{name: metrics[name] for name in kept},
    }


def reconstructed(captures: Path, name: str) -> Path | None:
    """The COLMAP model of a capture, made once; None where its photos are not at hand."""
    folder = captures / name
    if not (folder / "colmap" / "report.json").exists():
        if not CAPTURES[name].is_dir():
            print(f"{name}: skipped, {CAPTURES[name]} is not there", file=sys.stderr)
            return None
        folder.mkdir(parents=True, exist_ok=True)
        photos = folder / "photos"
        photos.unlink(missing_ok=True)
        photos.symlink_to(CAPTURES[name])
        subprocess.run(
            [sys.executable, "-m", "tests.bench.stage", "sfm", str(folder)],
            cwd=REPOSITORY,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return folder / "colmap"


def measure(captures: Path, threads: Sequence[int], profiles: Sequence[str]) -> dict[str, Any]:
    """Everything, as JSON."""
    scenes = [training_step.synthetic_splats(count) for count in (20_000, 50_000, 200_000)]
    models = {name: reconstructed(captures, name) for name in CAPTURES}
    found: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": platform.machine(),
        "threads": THREADS,
        "isa": ISA,
        "peaks_gflops": [training_step.peak_gflops()],
        "steps": [asdict(row) for row in training_step.measure(scenes, threads, _REPEATS)],
        "races": [],
        "runs": [],
    }
    for race in RACES:
        if colmap := models[race.capture]:
            found["races"].append(asdict(race) | run(colmap, race))
            print(found["races"][-1], file=sys.stderr)
    found["peaks_gflops"].append(training_step.peak_gflops())
    for name, profile in RUN_GOALS:
        if profile in profiles and CAPTURES[name].is_dir():
            found["runs"].append({"capture": name, "profile": profile} | whole_run(CAPTURES[name], profile))
            print(found["runs"][-1], file=sys.stderr)
    found["peaks_gflops"].append(training_step.peak_gflops())
    return found


def markdown(found: dict[str, Any]) -> str:
    """The tables, for ``docs/benchmarks.md``. The peak is the median of what it was in the sitting."""
    peak = median(found["peaks_gflops"])
    slower = training_step.REFERENCE_PEAK_GFLOPS / peak
    steps = table(
        ("Gaussians", "size", "threads", "CPU ms", "wall ms", "goal ms", "goal ms here"),
        [
            (
                f"{row['gaussians']:,}",
                f"{row['width']}x{row['height']}",
                row["threads"],
                f"{row['cpu_ms']:.1f}",
                f"{row['wall_ms']:.1f}",
                *_goals(_step_goal(row), slower),
            )
            for row in found["steps"]
        ],
    )
    races = table(
        ("capture", "longest side", "held-out PSNR", "s", "goal s", "goal s here", "steps", "Gaussians"),
        [
            (
                row["capture"],
                row["max_side"],
                f"{row['target']:.0f} dB",
                f"{row['seconds']:.1f}" if row["seconds"] else f"not reached ({row['psnr']:.2f} dB)",
                *_goals(row["goal_seconds"], slower),
                f"{row['step']:,}",
                f"{row['gaussians']:,}",
            )
            for row in found["races"]
        ],
    )
    runs = table(
        (
            *("capture", "profile", "s", "goal s", "goal s here", "of which training"),
            *("PSNR", "goal", "compensated", "covered", "goal", "SSIM"),
            *("Gaussians", "steps", "scene.sog MB", "training's peak MiB"),
        ),
        [
            (
                row["capture"],
                row["profile"],
                f"{row['seconds']:.0f}",
                *_goals(goal.seconds, slower),
                f"{row['train_seconds']:.0f}",
                f"{row['psnr']:.2f}",
                _decibels(goal.psnr),
                f"{row['compensated_psnr']:.2f}",
                f"{row['covered_psnr']:.2f}",
                _decibels(goal.covered_psnr),
                f"{row['ssim']:.2f}",
                f"{row['gaussians']:,}",
                f"{row['steps']:,}",
                f"{row['bytes'] / 1e6:.2f}",
                f"{row['peak_memory_bytes'] / 2**20:.0f}",
            )
            for row in found["runs"]
            for goal in [RUN_GOALS[row["capture"], row["profile"]]]
        ],
    )
    return (
        f"`make bench-train` on {found['date']}, {found['threads']} threads, {found['machine']}, "
        f"instruction set {found['isa']}, FMA peak {peak:.0f} GFlop/s a core "
        f"({', '.join(f'{peak:.0f}' for peak in found['peaks_gflops'])} before, between and after). "
        f"Goals are of two cores of {training_step.REFERENCE_PEAK_GFLOPS:.0f} GFlop/s; *here* they are "
        "scaled by the peak.\n\n"
        f"A training step (SH degree 3, SSIM weight 0.2, median of {_REPEATS}):\n\n{steps}\n"
        "Seconds until every eighth photo, held out, reaches a PSNR on average, from the start of the "
        f"training stage, loading and evaluations included; the median of {_RACE_REPEATS} runs. Each race "
        "has a schedule and a budget of its own (`RACES` in `tests/bench/train.py`), tuned on it:\n\n"
        f"{races}\n"
        f"`splatworks run`, from photos to the published scene, every eighth photo held out:\n\n{runs}"
    )


def _step_goal(row: dict[str, Any]) -> float | None:
    return STEP_GOALS_MS.get((row["gaussians"], row["width"])) if row["threads"] == 2 else None


def _goals(goal: float | None, slower: float) -> tuple[str, str]:
    """A goal of the reference machine, and what it is on one whose cores are so many times slower."""
    return ("", "") if goal is None else (f"{goal:.0f}", f"{goal * slower:.0f}")


def _decibels(goal: float | None) -> str:
    return "" if goal is None else f"{goal:g}"


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def write_between_marks(path: Path, text: str) -> None:
    """Replaces what stands between the marks in a file."""
    before = path.read_text()
    after, count = re.subn(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n\n{text}\n{END}", before, flags=re.S)
    if count != 1:
        raise SystemExit(f"{path} has no place for the tables: {BEGIN} … {END}")
    path.write_text(after)


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--markdown", type=Path, help="a file with a place for the tables")
    parser.add_argument("--from-json", type=Path, help="take the figures from there, and measure nothing")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of the training step")
    profiles = ["draft", "standard", "high"]
    parser.add_argument("--profiles", nargs="+", default=profiles, help="of the whole runs")
    parser.add_argument(
        "--captures", type=Path, default=REPOSITORY / "build" / "bench", help="where COLMAP models are kept"
    )
    chosen = parser.parse_args()
    if chosen.from_json:
        found = json.loads(chosen.from_json.read_text())
    else:
        found = measure(chosen.captures, chosen.threads, chosen.profiles)
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")
    print(markdown(found))
    if chosen.markdown:
        write_between_marks(chosen.markdown, markdown(found))


if __name__ == "__main__":
    main()
