"""How jobs go: by hand, by their time to live, and what goes with them."""

from __future__ import annotations

from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName
from tests.fakes.kube_api import SPLATJOBS
from tests.fakes.worker import FOREVER
from tests.integration.operator.conftest import NAMESPACE, World, until


def _delete(world: World, name: str = "fox") -> None:
    world.kube.delete(SPLATJOBS, NAMESPACE, name)


def _gone(world: World, name: str = "fox") -> bool:
    return world.kube.get(SPLATJOBS, NAMESPACE, name) is None


def test_deleting_a_job_takes_its_files_and_its_scene(world: World):
    world.start_operator()
    job = world.submit()
    world.until_phase("Succeeded")
    uri = world.status()["result"]["uri"]
    assert world.store.has(uri)
    _delete(world)
    until(lambda: _gone(world))
    assert not world.store.has(uri)
    assert world.ledger.unpublished == [f"fox-{job['metadata']['uid'][:8]}"]


def test_deleting_a_job_that_retains_its_files_leaves_them(world: World):
    world.start_operator()
    world.submit(artifactPolicy={"onDelete": "Retain"})
    world.until_phase("Succeeded")
    uri = world.status()["result"]["uri"]
    _delete(world)
    until(lambda: _gone(world))
    assert world.store.has(uri)
    assert world.ledger.unpublished == []


def test_deleting_a_running_job_stops_its_work_and_frees_the_slot(world: World):
    world.add_worker(StageName.SFM, lambda request: FOREVER, capacity=1)
    world.start_operator()
    world.submit("first")
    world.until_phase("Running", "first")
    world.submit("second")
    world.until_phase("Queued", "second")
    operation = world.stage(StageName.SFM, "first")["operation"]
    _delete(world, "first")
    until(lambda: _gone(world, "first"))
    assert world.ledger.cancelled == [operation]
    world.until_phase("Running", "second")


def test_a_deleted_job_stays_until_its_files_can_be_deleted(world: World):
    world.start_operator()
    world.submit()
    world.until_phase("Succeeded")
    world.store.go_down()
    _delete(world)
    until(lambda: (world.kube.get(SPLATJOBS, NAMESPACE, "fox") or {})["metadata"].get("annotations"))
    world.store.come_up()
    until(lambda: _gone(world))


def test_a_job_goes_after_its_time_to_live(world: World):
    world.start_operator()
    world.submit(ttlSecondsAfterFinished=1)
    until(lambda: _gone(world))
    assert sum(world.ledger.executions.values()) == 4


def test_a_time_to_live_given_to_a_finished_job_counts(world: World):
    world.start_operator()
    world.submit()
    world.until_phase("Succeeded")
    world.change(ttlSecondsAfterFinished=0)
    until(lambda: _gone(world))


def test_intermediates_go_when_the_job_has_succeeded(world: World):
    world.start_operator()
    world.submit(artifactPolicy={"intermediates": "Delete"})
    world.until_phase("Succeeded")
    uri = world.status()["result"]["uri"]
    kept = [stage for stage in StageName if world.store.has(f"{uri}/{CALLS[stage].folder}")]
    assert kept == [StageName.COMPRESS, StageName.PUBLISH]
