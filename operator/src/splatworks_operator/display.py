"""What a person sees while a job runs, and the table at its end.

On a terminal: one live line a stage. Elsewhere (a log, CI): a plain line whenever a stage starts, ends, or
has moved on noticeably.
"""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table

from splatworks_operator.status import JobStatus, StageName, StageState, StageStatus

TITLES = {
    StageName.SFM: "Cameras",
    StageName.TRAIN: "Training",
    StageName.COMPRESS: "Compression",
    StageName.PUBLISH: "Publishing",
}
"""What the stages are called to people."""

_LOG_EVERY_PERCENT = 10.0


class Display:
    """Shows a job's status as it changes. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[StageName, TaskID] = {}
        self._logged: dict[StageName, tuple[StageState, int, float]] = {}
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[line]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, status: JobStatus) -> None:
        """Shows the current state of every stage that has begun."""
        for stage in status.stages:
            if stage.attempt == 0:
                continue
            if self._console.is_terminal:
                self._show_live(stage)
            else:
                self._log(stage)

    def _show_live(self, stage: StageStatus) -> None:
        if stage.name not in self._tasks:
            self._tasks[stage.name] = self._progress.add_task(TITLES[stage.name], total=100.0, line="")
        percent = stage.progress.percent
        self._progress.update(self._tasks[stage.name], completed=percent, line=describe(stage))

    def _log(self, stage: StageStatus) -> None:
        _, attempt, percent = self._logged.get(stage.name, (StageState.PENDING, 0, 0.0))
        moved = stage.progress.percent - percent >= _LOG_EVERY_PERCENT or stage.attempt != attempt
        changed = self._logged.get(stage.name, (None,))[0] is not stage.state
        if changed or (moved and stage.state is StageState.RUNNING):
            self._logged[stage.name] = (stage.state, stage.attempt, stage.progress.percent)
            self._console.print(
                f"{TITLES[stage.name]:<12} {stage.progress.percent:3.0f} %  {describe(stage)}", soft_wrap=True
            )


def describe(stage: StageStatus) -> str:
    """One line that a person understands: what a stage is doing, or how it ended."""
    if stage.state is StageState.SUCCEEDED:
        return "reused the result of an earlier run" if stage.cached else f"done in {_seconds(stage)}"
    if stage.state is StageState.FAILED:
        return f"failed: {stage.reason}"
    if stage.state is StageState.PENDING:
        return f"trying again: {stage.reason}"
    progress = stage.progress
    parts = [progress.message or "starting"]
    if progress.unit:
        parts.append(f"{progress.done:,.0f} of {progress.total:,.0f} {progress.unit}")
    if "psnr" in progress.metrics:
        parts.append(f"{progress.metrics['psnr']:.1f} dB")
    if progress.eta_seconds is not None and progress.eta_seconds >= 1:
        parts.append(f"about {_duration(progress.eta_seconds)} left")
    return ", ".join(parts)


def summary(status: JobStatus) -> Table:
    """The table at the end: stage, time, result."""
    table = Table(title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("Stage")
    table.add_column("Time", justify="right")
    table.add_column("Result")
    for stage in status.stages:
        if stage.state is StageState.SUCCEEDED:
            time = "reused" if stage.cached else _seconds(stage)
            table.add_row(TITLES[stage.name], time, result(stage))
    return table


def result(stage: StageStatus) -> str:
    """What a finished stage gave, from those of its figures that are known."""
    if stage.name is StageName.PUBLISH:
        return "ready to view"
    figures = dict(stage.metrics)
    if "size_bytes" in figures:
        figures["megabytes"] = figures["size_bytes"] / 1e6
    return ", ".join(
        template.format_map(figures)
        for template, needed in _FIGURES[stage.name].items()
        if figures.keys() >= set(needed)
    )


_FIGURES: dict[StageName, dict[str, tuple[str, ...]]] = {
    StageName.SFM: {
        "{registered_images:.0f} of {total_images:.0f} photos registered": (
            "registered_images",
            "total_images",
        ),
        "{points:,.0f} points": ("points",),
        "{mean_reprojection_error_px:.2f} px": ("mean_reprojection_error_px",),
    },
    StageName.TRAIN: {
        "PSNR {psnr:.2f} dB, SSIM {ssim:.3f} held out": ("psnr", "ssim"),
        "{covered_psnr:.2f} dB where covered": ("covered_psnr",),
        "{gaussians:,.0f} Gaussians": ("gaussians",),
        "{steps:,.0f} steps": ("steps",),
    },
    StageName.COMPRESS: {
        "{megabytes:.2f} MB": ("megabytes",),
        "{ratio:.1f} times smaller": ("ratio",),
        "loses {psnr_loss:.2f} dB": ("psnr_loss",),
    },
}
"""How the figures of each stage are said, and which figures that needs."""


def _seconds(stage: StageStatus) -> str:
    return _duration((stage.ended or 0) - (stage.started or 0))


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
