"""What happens to a run when its processes are killed: it goes on, and leaves nothing behind."""

from __future__ import annotations

import contextlib

import psutil
import pytest

from tests.e2e.operator.conftest import eventually_gone

pytestmark = pytest.mark.timeout(600)

SERVICES = ("sfm", "trainer", "compressor", "streamer")


def kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def test_a_run_survives_the_kill_of_every_stage_s_work(start, small_photos, tmp_path):
    run = start(small_photos, "-o", tmp_path / "out", "--profile", "draft")
    for service in SERVICES:
        kill(run.child_of(service))
    assert run.finish() == 0, run.text
    assert run.text.count("trying again: Internal") >= 3  # publishing may be done before it is killed


def test_a_run_survives_the_kill_of_every_service(start, small_photos, tmp_path):
    run = start(small_photos, "-o", tmp_path / "out", "--profile", "draft")
    orphans = []
    for service in SERVICES:
        orphans.append(run.child_of(service))
        kill(run.service(service))
    assert run.finish() == 0, run.text
    assert run.text.count("trying again: WorkerLost") >= 3  # publishing may be done before it is killed
    assert eventually_gone(orphans) == []


def test_a_run_survives_the_kill_of_its_object_store(start, small_photos, tmp_path):
    run = start(small_photos, "-o", tmp_path / "out", "--profile", "draft")
    run.child_of("sfm")
    stores = [process for process in run.tree() if process.name() == "weed"]
    for store in stores:
        store.kill()
    assert run.finish() == 0, run.text
    assert len(stores) == 1
