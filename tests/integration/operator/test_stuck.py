"""What holds a job up is told to its owner, once."""

from __future__ import annotations

from splatworks_operator.kube import handlers
from tests.fakes.kube_api import EVENTS, SPLATJOBS
from tests.integration.operator.conftest import NAMESPACE, World, until


def _gone(world: World) -> bool:
    return world.kube.get(SPLATJOBS, NAMESPACE, "fox") is None


def _told(world: World, reason: str) -> list[str]:
    return [event["message"] for event in world.kube.list(EVENTS) if event["reason"] == reason]


def _tries(world: World) -> int:
    """How often the deletion was tried in vain, as kopf notes it for the next process."""
    job = world.kube.get(SPLATJOBS, NAMESPACE, "fox") or {"metadata": {}}
    annotations = job["metadata"].get("annotations") or {}
    return sum(f'"retries":{number}' in str(annotations) for number in range(2, 9))


def test_a_deletion_that_can_not_be_done_is_told_once_however_often_it_is_tried(world: World, monkeypatch):
    monkeypatch.setattr(handlers, "_LATER_SECONDS", (0.05, 0.1))
    world.start_operator()
    world.submit()
    world.until_phase("Succeeded")
    world.store.go_down()
    world.kube.delete(SPLATJOBS, NAMESPACE, "fox")
    until(lambda: _tries(world))
    assert world.status()["message"] == "The deletion waits. the object store does not answer"
    assert world.phase() == "Succeeded"
    world.store.come_up()
    until(lambda: _gone(world))
    assert _told(world, "DeletionWaits") == ["The deletion waits. the object store does not answer"]


def test_a_deletion_still_stuck_after_a_restart_is_not_told_again(world: World, monkeypatch):
    monkeypatch.setattr(handlers, "_LATER_SECONDS", (0.05, 0.1))
    operator = world.start_operator()
    world.submit()
    world.until_phase("Succeeded")
    world.store.go_down()
    world.kube.delete(SPLATJOBS, NAMESPACE, "fox")
    until(lambda: _told(world, "DeletionWaits"))
    operator.stop()
    world.operators.remove(operator)
    restarted = world.start_operator()
    labels = {"kind": "store"}
    until(lambda: (restarted.registry.get_sample_value("splatworks_reconcile_errors_total", labels) or 0) > 0)
    world.store.come_up()
    until(lambda: _gone(world))
    assert len(_told(world, "DeletionWaits")) == 1


def test_a_job_that_may_go_without_its_files_goes_after_some_tries(world: World, monkeypatch):
    monkeypatch.setattr(handlers, "_LATER_SECONDS", (0.05, 0.1))
    world.start_operator()
    world.submit(artifactPolicy={"forceFinalizerRemoval": True})
    world.until_phase("Succeeded")
    uri = world.status()["result"]["uri"]
    world.store.go_down()
    world.kube.delete(SPLATJOBS, NAMESPACE, "fox")
    until(lambda: _gone(world))
    assert world.store.has(uri)
    until(lambda: _told(world, "FilesLeft"))


def test_a_spec_of_another_version_is_told_and_named_by_its_key(world: World, monkeypatch):
    world.kube.validating = False
    monkeypatch.setattr(handlers, "_MUCH_LATER_SECONDS", 0.2)
    world.start_operator()
    world.submit(profile="ultra")
    until(lambda: _told(world, "SpecNotUnderstood"))
    assert "spec.profile" in world.status()["message"]
    world.change(profile="Standard")
    world.until_phase("Succeeded")
    assert len(_told(world, "SpecNotUnderstood")) == 1


def test_a_job_with_a_spec_of_another_version_can_be_deleted(world: World):
    world.kube.validating = False
    world.start_operator()
    world.submit(profile="ultra")
    until(lambda: _told(world, "SpecNotUnderstood"))
    world.kube.delete(SPLATJOBS, NAMESPACE, "fox")
    until(lambda: _gone(world))
    until(lambda: "spec.profile" in "".join(_told(world, "FilesLeft")))
    assert not world.ledger.executions
