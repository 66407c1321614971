"""What a person sees while a job runs, and the table at its end.

On a terminal: one live line a stage. Elsewhere (a log, CI): a plain line whenever a stage starts, ends, or
has moved on noticeably.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table

from splatworks_operator.pipeline import JobStatus, StageName, StageState, StageStatus

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
            table.add_row(TITLES[stage.name], time, _RESULTS[stage.name](stage))
    return table


def _sfm_result(stage: StageStatus) -> str:
    metrics = stage.metrics
    return (
        f"{metrics['registered_images']:.0f} of {metrics['total_images']:.0f} photos registered, "
        f"{metrics['points']:,.0f} points, {metrics['mean_reprojection_error_px']:.2f} px"
    )


def _train_result(stage: StageStatus) -> str:
    metrics = stage.metrics
    quality = (
        f"PSNR {metrics['psnr']:.2f} dB, SSIM {metrics['ssim']:.3f} held out, " if "psnr" in metrics else ""
    )
    return f"{quality}{metrics['gaussians']:,.0f} Gaussians, {metrics['steps']:,.0f} steps"


def _compress_result(stage: StageStatus) -> str:
    metrics = stage.metrics
    loss = f", loses {metrics['psnr_loss']:.2f} dB" if "psnr_loss" in metrics else ""
    return f"{metrics['size_bytes'] / 1e6:.2f} MB, {metrics['ratio']:.1f} times smaller{loss}"


def _publish_result(stage: StageStatus) -> str:
    return "ready to view"


_RESULTS: dict[StageName, Callable[[StageStatus], str]] = {
    StageName.SFM: _sfm_result,
    StageName.TRAIN: _train_result,
    StageName.COMPRESS: _compress_result,
    StageName.PUBLISH: _publish_result,
}


def _seconds(stage: StageStatus) -> str:
    return _duration((stage.ended or 0.0) - (stage.started or 0.0))


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
