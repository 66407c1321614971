"""The Lease is given up when another replica has it, and for nothing less."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from splatworks_operator.kube.api import Api, ApiError, Resource, credentials, open_session
from splatworks_operator.kube.config import LeaseConfig
from splatworks_operator.kube.lease import LeaseLock
from tests.fakes.kube_api import LEASES, Object
from tests.integration.operator.conftest import World, until

_CONFIG = LeaseConfig(namespace="splatworks", name="operator")


class _LossyApi(Api):
    """An API server whose answers get lost on the way where the test says so."""

    lose = 0

    async def create(self, path: str, body: Resource) -> Resource:
        return self._perhaps(await super().create(path, body))

    async def replace(self, path: str, body: Resource) -> Resource:
        return self._perhaps(await super().replace(path, body))

    def _perhaps(self, answer: Resource) -> Resource:
        if self.lose:
            self.lose -= 1
            raise ApiError(0, "the answer was lost")
        return answer


@pytest.fixture
async def api(world: World) -> AsyncIterator[_LossyApi]:
    info = credentials()
    api = _LossyApi(str(info.server), open_session(info))
    yield api
    await api.close()


@contextlib.asynccontextmanager
async def _kept(api: Api) -> AsyncIterator[tuple[LeaseLock, asyncio.Task[None]]]:
    """A Lease that is held and renewed."""
    lease = LeaseLock(api, _CONFIG, "we", seconds=3)
    await lease.acquire()
    keeping = asyncio.create_task(lease.keep())
    try:
        yield lease, keeping
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


def _lease(world: World) -> Object:
    found = world.kube.get(LEASES, _CONFIG.namespace, _CONFIG.name)
    assert found is not None
    return found


def _change(world: World, **changes: Any) -> None:
    world.kube.patch(LEASES, _CONFIG.namespace, _CONFIG.name, changes)


async def _renewed(world: World, since: Object) -> None:
    """Returns once the Lease was renewed after ``since``."""
    await asyncio.to_thread(
        until, lambda: _lease(world)["spec"]["renewTime"] != since["spec"]["renewTime"], 10
    )


async def test_a_renewal_whose_answer_is_lost_leaves_the_lease_held(world: World, api: _LossyApi):
    async with _kept(api) as (lease, keeping):
        api.lose = 1
        await asyncio.to_thread(until, lambda: api.lose == 0)
        await _renewed(world, _lease(world))
        assert (lease.held, keeping.done()) == (True, False)


async def test_somebody_s_annotation_leaves_the_lease_held(world: World, api: _LossyApi):
    async with _kept(api) as (lease, keeping):
        _change(world, metadata={"annotations": {"looked-at-by": "a curious person"}})
        await _renewed(world, _lease(world))
        assert (lease.held, keeping.done()) == (True, False)
        assert _lease(world)["metadata"]["annotations"] == {"looked-at-by": "a curious person"}


async def test_a_lease_that_somebody_deleted_is_made_again(world: World, api: _LossyApi):
    async with _kept(api) as (lease, keeping):
        world.kube.delete(LEASES, _CONFIG.namespace, _CONFIG.name)
        await asyncio.to_thread(until, lambda: world.kube.list(LEASES))
        assert (_lease(world)["spec"]["holderIdentity"], lease.held, keeping.done()) == ("we", True, False)


async def test_a_lease_that_another_has_is_given_up(world: World, api: _LossyApi):
    async with _kept(api) as (lease, keeping):
        _change(world, spec={"holderIdentity": "another"})
        await asyncio.wait_for(keeping, 10)
        assert (lease.held, lease.holder) == (False, "another")
        assert _lease(world)["spec"]["holderIdentity"] == "another"


async def test_a_lease_whose_taking_was_not_answered_is_ours_at_the_next_look(world: World, api: _LossyApi):
    api.lose = 1
    lease, another = (LeaseLock(api, _CONFIG, name, seconds=3) for name in ("we", "another"))
    async with asyncio.TaskGroup() as tasks:
        acquiring = tasks.create_task(lease.acquire())
        await asyncio.to_thread(until, lambda: world.kube.list(LEASES))
        waiting = tasks.create_task(another.acquire())
        await asyncio.wait({acquiring, waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert (lease.held, another.held) == (True, False)
        waiting.cancel()


async def test_a_lease_is_given_back_although_somebody_annotated_it(world: World, api: _LossyApi):
    lease = LeaseLock(api, _CONFIG, "we")
    await lease.acquire()
    _change(world, metadata={"annotations": {"looked-at-by": "a curious person"}})
    await lease.release()
    assert _lease(world)["spec"]["holderIdentity"] == ""
