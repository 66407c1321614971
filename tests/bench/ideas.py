"""What each idea in training is worth: the same fits with and without it, captures and seeds alike.

    python -m tests.bench.ideas [--json FILE] [--seeds N] [--captures DIR] [--only IDEA ...]

Prints by how much leaving out an idea that is kept, or adding one that is not, changes the figure on every
eighth photo, held out: the mean of the seeds' differences, and their range. Fits run side by side, one thread
each, since a fit's outcome does not depend on its threads. Those in the JSON file are not run again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from splatworks_common.checkpoints import NO_CHECKPOINT
from splatworks_common.live import NOTHING_LIVE
from splatworks_common.progress import silent
from splatworks_common.splats import Splats
from splatworks_trainer.adc import AdaptiveDensityControl
from splatworks_trainer.config import STANDARD, EngineName
from splatworks_trainer.engine import Edit, Rates, Statistics
from splatworks_trainer.engines.native import NativeEngine
from splatworks_trainer.evaluate import evaluate
from splatworks_trainer.fit import Surroundings, fit
from splatworks_trainer.log import TrainingLog
from splatworks_trainer.scene import open_scene
from splatworks_trainer.schedule import Schedule
from splatworks_trainer.state import Position
from splatworks_trainer.strategy import Errors
from tests.bench.pipeline import CAPTURES, REPOSITORY
from tests.bench.stage import THREADS
from tests.bench.train import as_papers_do, reconstructed, table

_LARGE, _ALL = ("sample", "fox"), ("sample", "fox", "brighton")


class _PulledHardest(AdaptiveDensityControl):
    """A short budget goes to the Gaussians that are pulled hardest."""

    def plan(
        self, stats: Statistics, errors: Errors, splats: Splats, step: int, rng: np.random.Generator
    ) -> Edit:
        """See ``Strategy.plan``."""
        return super().plan(stats, lambda: np.zeros(len(splats)), splats, step, rng)


class _Steady(Schedule):
    """Rates that do not fade at the end."""

    def rates(self, step: int) -> Rates:
        """See ``Course.rates``."""
        return self.steady_rates(step)


@dataclass(frozen=True)
class Idea:
    """One change of what the standard profile does.

    Attributes:
        title: What is changed.
        captures: Where it changes anything.
        options: Changed options.
        schedule: What takes the place of the usual one.
        by_pull: Whether errors decide nothing.
    """

    title: str
    captures: tuple[str, ...] = _ALL
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: type[Schedule] = Schedule
    by_pull: bool = False


AS_IT_IS = "as it is"
IDEAS = {
    AS_IT_IS: Idea("nothing"),
    "sparse-start": Idea("no dense start", _LARGE, {"dense_start": 0.0}),
    "dense-start": Idea("a dense start", ("brighton",), {"dense_start": 0.35}),
    "by-pull": Idea("a short budget to those pulled hardest, not to errors", _LARGE, by_pull=True),
    "steady": Idea("no fading of rates", schedule=_Steady),
    "160k": Idea("160,000 Gaussians", options={"max_gaussians": 160_000}),
}


@dataclass(frozen=True)
class Outcome:
    """One fit.

    Attributes:
        psnr: Of the held-out photos, dB; of what other photos know of them where ``FIGURES`` says so.
        gaussians: How many there were at the end.
        cpu_seconds: Processor time of loading, start and fit.
    """

    psnr: float
    gaussians: int
    cpu_seconds: float


FIGURES = {"brighton": "covered_psnr"}
"""What judges a capture, where plain PSNR does not: much of what brighton's photos show is in one alone."""


def fitted(colmap: Path, capture: str, idea: Idea, seed: int) -> Outcome:
    """Fits once, on one thread."""
    began = time.process_time()
    options = replace(as_papers_do(STANDARD), seed=seed, **idea.options)
    scene = open_scene(colmap / "dense", options, EngineName.NATIVE, silent, 1)
    course = idea.schedule(scene.schedule.steps, scene.schedule.scene_scale, scene.options)
    strategy = scene.strategy
    if idea.by_pull:
        assert isinstance(strategy, AdaptiveDensityControl)
        strategy = _PulledHardest(**vars(strategy))
    rng = np.random.default_rng(seed)
    first = scene.first_splats(rng, silent, 1)
    engine = NativeEngine(first, capacity=scene.options.max_gaussians, threads=1)
    with tempfile.TemporaryDirectory() as folder, TrainingLog(Path(folder) / "log", time.monotonic) as log:
        around = Surroundings(1, silent, log, NO_CHECKPOINT, NOTHING_LIVE, Path(folder))
        splats = fit(
            engine, strategy, course, scene.photos, scene.photos.training, Position(rng), around
        ).splats
    spent = time.process_time() - began
    shown = NativeEngine(splats, capacity=len(splats), threads=1)
    quality = evaluate(shown, scene.photos, scene.photos.held_out, threads=1, known=scene.known)
    return Outcome(float(getattr(quality, FIGURES.get(capture, "psnr"))), len(splats), spent)


def measure(captures: Path, seeds: int, names: Iterable[str], kept: Path | None) -> dict[str, Outcome]:
    """All fits, by ``capture/idea/seed``."""
    found = {}
    if kept and kept.exists():
        found = {key: Outcome(**row) for key, row in json.loads(kept.read_text()).items()}
    models = {name: reconstructed(captures, name) for name in CAPTURES}
    with ProcessPoolExecutor(THREADS, mp_context=get_context("spawn")) as processes:
        running = {}
        for name in dict.fromkeys((AS_IT_IS, *names)):
            for seed in range(seeds):
                for capture in IDEAS[name].captures:
                    key = f"{capture}/{name}/{seed}"
                    if key not in found and (model := models[capture]):
                        running[processes.submit(fitted, model, capture, IDEAS[name], seed)] = key
        for done in as_completed(running):
            found[running[done]] = done.result()
            print(running[done], done.result(), file=sys.stderr)
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps({key: asdict(row) for key, row in found.items()}, indent=1) + "\n")
    return found


def markdown(found: Mapping[str, Outcome], seeds: int) -> str:
    """A table of the differences from what is kept, a row for each idea."""
    rows = []
    for name, idea in IDEAS.items():
        cells = []
        for capture in _ALL:
            keys = [(f"{capture}/{name}/{seed}", f"{capture}/{AS_IT_IS}/{seed}") for seed in range(seeds)]
            pairs = [(found[key], found[usual]) for key, usual in keys if key in found and usual in found]
            cells.append(_cell(pairs, name == AS_IT_IS))
        rows.append((idea.title, *cells))
    return table(("changed", *(f"{name}, {FIGURES.get(name, 'psnr')}" for name in _ALL)), rows)


def _cell(pairs: Sequence[tuple[Outcome, Outcome]], absolute: bool) -> str:
    """The mean and range of the differences of pairs in dB and the ratio of their processor times."""
    if not pairs:
        return ""
    gains = [changed.psnr - (0.0 if absolute else usual.psnr) for changed, usual in pairs]
    sign = "" if absolute else "+"
    spread = f"{statistics.mean(gains):{sign}.2f} ({min(gains):{sign}.2f} to {max(gains):{sign}.2f})"
    if absolute:
        return f"{spread} dB, {statistics.mean(changed.cpu_seconds for changed, _ in pairs):.0f} CPU s"
    ratio = statistics.mean(changed.cpu_seconds / usual.cpu_seconds for changed, usual in pairs)
    return f"{spread} dB, {ratio:.2f} of the time"


def main() -> None:
    """Fits and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, help="where finished fits are kept")
    parser.add_argument("--seeds", type=int, default=3, help="how many runs each")
    parser.add_argument("--only", nargs="+", choices=IDEAS, default=list(IDEAS), help="which to run")
    parser.add_argument(
        "--captures", type=Path, default=REPOSITORY / "build" / "bench", help="where COLMAP models are kept"
    )
    chosen = parser.parse_args()
    print(markdown(measure(chosen.captures, chosen.seeds, chosen.only, chosen.json), chosen.seeds))


if __name__ == "__main__":
    main()
