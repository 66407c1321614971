"""The finalizer: who puts it on, when, and what becomes of others'."""

from __future__ import annotations

from aiohttp import web

from splatworks_operator.kube.handlers import FINALIZER
from splatworks_operator.status import StageName
from tests.fakes.kube_api import SPLATJOBS
from tests.fakes.worker import FOREVER
from tests.integration.operator.conftest import NAMESPACE, World, until


def _finalizers(world: World) -> list[str]:
    found = world.kube.get(SPLATJOBS, NAMESPACE, "fox") or {"metadata": {}}
    return list(found["metadata"].get("finalizers", ()))


def _set(world: World, finalizers: list[str] | None) -> None:
    world.kube.patch(SPLATJOBS, NAMESPACE, "fox", {"metadata": {"finalizers": finalizers}})


def test_a_job_is_guarded_once_and_before_anything_else_is_written(world: World):
    world.start_operator()
    world.submit()
    world.until_phase("Succeeded")
    first, *others = [write for write in world.kube.writes if write.name == "fox"]
    assert first.body["metadata"]["finalizers"] == [FINALIZER]
    assert {write.subresource for write in others} == {"status"}


def test_finalizers_of_others_stay(world: World):
    world.submit()
    _set(world, ["example.com/theirs"])
    world.start_operator()
    world.until_phase("Succeeded")
    assert _finalizers(world) == ["example.com/theirs", FINALIZER]


def test_a_finalizer_that_was_taken_off_a_running_job_comes_back(world: World):
    world.add_worker(StageName.SFM, lambda request: FOREVER)
    world.start_operator()
    world.submit()
    world.until_phase("Running")
    _set(world, None)
    until(lambda: _finalizers(world) == [FINALIZER])


def test_kopf_guards_a_job_where_the_first_try_was_refused(world: World):
    refused: list[str] = []

    def refuse_once(request: web.Request) -> int | None:
        if request.method != "PATCH" or refused:
            return None
        refused.append(request.path)
        return 409

    world.kube.refuse = refuse_once
    world.start_operator()
    world.submit()
    world.until_phase("Succeeded")
    assert refused == [f"/apis/{SPLATJOBS[0]}/namespaces/{NAMESPACE}/splatjobs/fox"]
    assert _finalizers(world) == [FINALIZER]
