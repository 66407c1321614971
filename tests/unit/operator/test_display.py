from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from splatworks_common.reasons import Reason
from splatworks_operator.display import Display, describe, summary
from splatworks_operator.status import JobStatus, Progress, StageName, StageState, StageStatus

RUNNING = StageStatus(
    StageName.SFM,
    StageState.RUNNING,
    attempt=1,
    started=0,
    progress=Progress(
        percent=26.0, done=8, total=50, eta_seconds=58, message="Finding features", unit="photos"
    ),
)


def test_a_running_stage_says_what_it_does_how_far_it_is_and_how_long_it_will_take():
    assert describe(RUNNING) == "Finding features, 8 of 50 photos, about 58 s left"


def test_training_shows_its_decibels():
    progress = Progress(50.0, 500, 1000, 90, "Adding detail", "steps", {"psnr": 24.26})
    stage = replace(RUNNING, name=StageName.TRAIN, progress=progress)
    assert describe(stage) == "Adding detail, 500 of 1,000 steps, 24.3 dB, about 90 s left"


def test_a_reused_stage_says_so():
    assert "reused" in describe(replace(RUNNING, state=StageState.SUCCEEDED, cached=True, ended=1))


def test_a_stage_that_will_be_tried_again_says_why():
    stage = replace(RUNNING, state=StageState.PENDING, reason=Reason.WORKER_LOST)
    assert describe(stage) == "trying again: WorkerLost"


def finished() -> JobStatus:
    metrics = {
        StageName.SFM: {
            "registered_images": 49.0,
            "total_images": 50.0,
            "points": 10358.0,
            "mean_reprojection_error_px": 1.05,
        },
        StageName.TRAIN: {
            "psnr": 30.12,
            "ssim": 0.91,
            "covered_psnr": 31.4,
            "gaussians": 120000.0,
            "steps": 2000.0,
        },
        StageName.COMPRESS: {"size_bytes": 1.9e6, "ratio": 15.6, "psnr_loss": 0.12},
        StageName.PUBLISH: {},
    }
    return JobStatus(
        stages=tuple(
            StageStatus(name, StageState.SUCCEEDED, attempt=1, started=0, ended=125, metrics=metrics[name])
            for name in StageName
        )
    )


def test_the_table_tells_time_photos_psnr_gaussians_bytes_and_ratio():
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(summary(finished()))
    text = console.export_text()
    for part in (
        "2 min 5 s",
        "49 of 50 photos",
        "30.12 dB",
        "31.40 dB where covered",
        "120,000 Gaussians",
        "1.90 MB",
        "15.6 times",
        "0.12 dB",
    ):
        assert part in text


def test_where_there_is_no_terminal_a_stage_is_logged_when_it_moves_on(capsys):
    console = Console(force_terminal=False, width=160)
    with Display(console) as display:
        for percent in (0.0, 1.0, 2.0, 15.0):
            stage = replace(RUNNING, progress=replace(RUNNING.progress, percent=percent))
            display.show(JobStatus(stages=(stage,)))
    assert len(capsys.readouterr().out.splitlines()) == 2
