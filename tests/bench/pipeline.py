"""CPU-seconds, wall time and peak memory of every stage on real captures, with the quality they bought."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from tests.bench.stage import STAGES

REPOSITORY = Path(__file__).resolve().parents[2]
CAPTURES = {
    "sample": REPOSITORY / "examples" / "capture",
    "fox": REPOSITORY.parent / "shared" / "data" / "fox" / "images",
    "brighton": REPOSITORY.parent / "shared" / "data" / "brighton",
}


@dataclass(frozen=True)
class Cost:
    """What one stage took and gave."""

    capture: str
    stage: str
    cpu_seconds: float
    wall_seconds: float
    peak_mib: float
    figures: dict[str, float | None]


def measure(capture: str, stage: str, folder: Path) -> Cost:
    """Runs one stage in its own process."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stage", stage, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=REPOSITORY,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{stage} failed on {capture}; run: python -m tests.bench.stage {stage} {folder}")
    return Cost(
        capture,
        stage,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        wall_seconds=time.monotonic() - started,
        peak_mib=usage.ru_maxrss / 1024,
        figures=json.loads(output.splitlines()[-1]),
    )


def run() -> list[Cost]:
    """Every stage on every capture that is at hand."""
    costs = []
    for capture, photos in CAPTURES.items():
        if not photos.is_dir():
            print(f"{capture}: skipped, {photos} is not there", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            (folder / "photos").symlink_to(photos)
            for stage in STAGES:
                costs.append(measure(capture, stage, folder))
                print(f"{capture} {stage}: {costs[-1].wall_seconds:.0f} s", file=sys.stderr)
    return costs


def table(costs: list[Cost]) -> Table:
    """The costs as a table."""
    made = Table(title="Stages on real captures", title_justify="left", show_edge=False)
    for column in ("capture", "stage"):
        made.add_column(column)
    for column in ("CPU s", "wall s", "peak MiB"):
        made.add_column(column, justify="right")
    made.add_column("result")
    for cost in costs:
        figures = ", ".join(
            f"{name} {value:,.2f}".removesuffix(".00")
            for name, value in cost.figures.items()
            if value is not None
        )
        made.add_row(
            cost.capture,
            cost.stage,
            f"{cost.cpu_seconds:.1f}",
            f"{cost.wall_seconds:.1f}",
            f"{cost.peak_mib:.0f}",
            figures,
        )
    return made
