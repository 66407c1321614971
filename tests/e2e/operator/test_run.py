"""``splatworks run`` as a person uses it: from photos to files, again, stopped, and with bad input."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from splatworks_common.artifacts.manifest import Manifest
from tests.e2e.operator.conftest import Run, eventually_gone

pytestmark = pytest.mark.timeout(600)

FOLDERS = {
    "colmap": ["report.json", "dense/sparse/cameras.bin", "sparse/points3D.bin"],
    "gaussian": ["model.ply", "training.log", "metrics.json", "cameras.json"],
    "compressed": ["scene.sog", "meta.json", "means_l.webp", "summary.json"],
    "published": ["settings.json", "thumbnail.webp", "scene.json"],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_photos: Path) -> tuple[Path, str]:
    """Where a first run has written, and what it has printed."""
    out = tmp_path_factory.mktemp("out") / "courtyard"
    run = Run(str(small_photos), "-o", str(out), "--profile", "draft")
    try:
        assert run.finish() == 0, run.text
    finally:
        run.close()
    return out, run.text


def test_photos_become_a_scene_with_every_artifact_on_disk(finished):
    out, _ = finished
    for folder, names in FOLDERS.items():
        manifest = Manifest.from_json((out / folder / "manifest.json").read_bytes())
        paths = {file.path for file in manifest.files}
        assert paths >= set(names)
        assert all((out / folder / path).is_file() for path in paths)


def test_the_table_agrees_with_the_reports(finished):
    out, text = finished
    metrics = json.loads((out / "gaussian" / "metrics.json").read_text())
    summary = json.loads((out / "compressed" / "summary.json").read_text())
    assert f"PSNR {metrics['psnr']:.2f} dB" in text
    assert f"{summary['ratio']:.1f} times smaller" in text


def test_the_second_run_reuses_every_stage_and_says_so(start, small_photos, finished):
    run = start(small_photos, "-o", finished[0], "--profile", "draft")
    assert run.finish() == 0, run.text
    assert run.text.count("reused the result of an earlier run") == 4


def test_a_served_scene_answers_until_ctrl_c(start, small_photos, finished):
    run = start(small_photos, "-o", finished[0], "--profile", "draft", "--serve")
    run.wait_for("Ctrl-C stops")
    with urllib.request.urlopen(run.viewer_url(), timeout=10) as page:
        assert page.status == 200
    processes = run.tree()
    run.process.send_signal(signal.SIGINT)
    assert run.finish(30) == 0
    assert eventually_gone(processes) == []


def test_a_streamer_that_dies_while_serving_comes_back_under_the_same_address(start, small_photos, finished):
    run = start(small_photos, "-o", finished[0], "--profile", "draft", "--serve")
    run.wait_for("Ctrl-C stops")
    run.service("streamer").kill()
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(run.viewer_url(), timeout=10) as page:
                assert page.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline, run.text
            time.sleep(0.05)


def test_ctrl_c_cancels_and_leaves_no_process(start, small_photos, tmp_path):
    run = start(small_photos, "-o", tmp_path / "out", "--profile", "draft")
    run.child_of("sfm")
    processes = run.tree()
    run.process.send_signal(signal.SIGINT)
    assert run.finish(30) == 130
    assert eventually_gone(processes) == []


def test_nothing_outlives_a_run_that_is_killed(start, small_photos, tmp_path):
    run = start(small_photos, "-o", tmp_path / "out", "--profile", "draft")
    run.child_of("sfm")
    processes = run.tree()
    run.process.kill()
    run.process.wait()
    assert eventually_gone(processes) == []


def test_two_runs_at_once_do_not_disturb_each_other(start, small_photos, tmp_path):
    runs = [start(small_photos, "-o", tmp_path / name, "--profile", "draft") for name in ("one", "two")]
    assert [run.finish(500) for run in runs] == [0, 0], "\n".join(run.text for run in runs)


def test_a_second_run_into_a_folder_in_use_is_refused_with_a_word(start, small_photos, tmp_path):
    first = start(small_photos, "-o", tmp_path / "out", "--profile", "draft")
    first.child_of("sfm")
    second = start(small_photos, "-o", tmp_path / "out", "--profile", "draft")
    assert second.finish(60) == 1
    assert "in use" in second.text
    assert psutil.pid_exists(first.process.pid)


def test_too_few_photos_end_the_run_with_a_reason_and_a_remedy(start, small_photos, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for photo in sorted(small_photos.iterdir())[:2]:
        (few / photo.name).write_bytes(photo.read_bytes())
    run = start(few, "-o", tmp_path / "out")
    assert run.finish() == 1
    assert "TooFewImages" in run.text


def test_an_output_folder_that_can_not_be_is_named(start, small_photos, tmp_path):
    (tmp_path / "file").touch()
    run = start(small_photos, "-o", tmp_path / "file" / "out")
    assert run.finish(60) == 1
    assert str(tmp_path / "file") in run.text
    assert "Traceback" not in run.text


def test_a_folder_that_no_run_has_written_is_not_replaced(start, small_photos, tmp_path):
    (tmp_path / "colmap").mkdir()
    (tmp_path / "colmap" / "mine.txt").write_text("precious")
    run = start(small_photos, "-o", tmp_path)
    assert run.finish(60) == 1
    assert str(tmp_path / "colmap") in run.text
    assert (tmp_path / "colmap" / "mine.txt").read_text() == "precious"


def test_a_folder_that_is_not_there_is_named(start, tmp_path):
    run = start(tmp_path / "nowhere", "-o", tmp_path / "out")
    assert run.finish(60) == 1
    assert str(tmp_path / "nowhere") in run.text
    assert "Traceback" not in run.text
