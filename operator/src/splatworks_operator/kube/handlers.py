"""kopf's side of the operator: which changes of SplatJobs wake which driver.

Everything is level-triggered: an event only says that it may be worth looking, so none need be remembered.
One daemon drives each job that is not over (or has a time to be deleted at); deletion is held up by a
finalizer until the job's work has stopped and its files are gone. kopf itself writes nothing but
notes about deletions that have to be tried again, and takes that finalizer off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import kopf
import pydantic

from splatworks_operator.crd.definition import GROUP, PLURAL, VERSION
from splatworks_operator.kube import faults
from splatworks_operator.kube.api import ApiError, Resource
from splatworks_operator.kube.driver import JobDriver
from splatworks_operator.kube.faults import Fault
from splatworks_operator.kube.jobs import JobTable
from splatworks_operator.kube.metrics import OperatorMetrics
from splatworks_operator.kube.record import JobGone
from splatworks_operator.status import Phase

ResultT = TypeVar("ResultT")

log = logging.getLogger(__name__)

FINALIZER = f"{GROUP}/cleanup"
ANNOTATIONS = f"operator.{GROUP}"

_DELETION_TRIES = 5
"""After so many tries a job with ``forceFinalizerRemoval`` goes although its files could not be deleted."""

_LATER_SECONDS = (1.0, 5.0)
_MUCH_LATER_SECONDS = 60.0


class _NothingRemembered(kopf.DiffBaseStorage):
    """kopf keeps a copy of the spec in an annotation to tell edits by; nobody here needs to know of edits."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> Any:
        return {}

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Nothing: every body is as the one before."""


def settings() -> kopf.OperatorSettings:
    """How kopf is to behave."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False  # events come from the driver, one a transition
    chosen.scanning.disabled = True  # neither CRDs nor namespaces need be watched, nor allowed to be
    chosen.persistence.finalizer = FINALIZER
    chosen.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=ANNOTATIONS)
    chosen.persistence.diffbase_storage = _NothingRemembered()
    chosen.watching.server_timeout = 300
    chosen.watching.connect_timeout = 10
    chosen.networking.request_timeout = 30
    chosen.background.instant_exit_timeout = 2.0
    chosen.background.cancellation_polling = 5.0
    chosen.execution.default_backoff = _LATER_SECONDS[1]
    return chosen


def is_live(*, status: Mapping[str, Any], spec: Mapping[str, Any], **_: object) -> bool:
    """Whether there is anything left to do for a job."""
    return not _is_over(status) or spec.get("ttlSecondsAfterFinished") is not None


def _is_over(status: Mapping[str, Any]) -> bool:
    return status.get("phase") in (Phase.SUCCEEDED.value, Phase.FAILED.value)


def is_echo(event: Resource, jobs: JobTable, metrics: OperatorMetrics) -> bool:
    """Whether a watch's event is of no use to kopf: the job's driver made it or has read it, and goes on.

    It is noted here then as ``register``'s handlers would note it.
    """
    seen = event["object"]
    if event["type"] != "MODIFIED" or not jobs.knows(seen):
        return False
    metadata = seen["metadata"]
    guarded = FINALIZER in metadata.get("finalizers", ())
    if not guarded or "deletionTimestamp" in metadata or _is_over(seen.get("status") or {}):
        return False
    metrics.last_event.set_to_current_time()
    jobs.saw(seen)
    return True


def register(registry: kopf.OperatorRegistry, jobs: JobTable, metrics: OperatorMetrics) -> None:
    """Adds the handlers of SplatJobs to kopf's registry."""
    which: tuple[str, str, str] = (GROUP, VERSION, PLURAL)

    @kopf.on.event(*which, registry=registry)
    async def changed(event: kopf.RawEvent, **_: object) -> None:
        metrics.last_event.set_to_current_time()
        found: Any = event["object"]  # as JSON: kopf's own view of a body is costly to read
        if event["type"] == "DELETED":
            jobs.forget(found["metadata"]["uid"])
            return
        jobs.saw(found)
        await _guard(jobs.of(found), found)

    @kopf.daemon(*which, registry=registry, when=is_live)
    async def drive(body: kopf.Body, stopped: kopf.DaemonStopped, **_: object) -> None:
        await _drive(jobs.of(dict(body)), stopped, metrics)

    @kopf.on.delete(*which, registry=registry, id="cleanup")
    async def deleted(body: kopf.Body, retry: int, **_: object) -> None:
        await _close(jobs.of(dict(body)), retry, metrics)


async def _guard(driver: JobDriver, found: Resource) -> None:
    """Adds the finalizer, and lets kopf go on with the resource as it is then.

    kopf would add it by itself, and does so where this fails. But it finds out what to send by comparing
    copies of the whole resource, which takes it longer than all else about a new job.
    """
    if driver.guarded_by(FINALIZER):
        return
    try:
        await driver.guard(FINALIZER)
    except ApiError as error:
        log.info("%s has no finalizer yet: %s", driver.name, error)
    else:
        found.update(driver.resource)


async def _drive(driver: JobDriver, stopped: kopf.DaemonStopped, metrics: OperatorMetrics) -> None:
    """Drives a job until kopf says stop: it is over, it is being deleted, or the operator ends."""
    stopping = asyncio.create_task(_wake_when(stopped, driver))
    try:
        while not stopped and not driver.guarded_by(FINALIZER):
            await _idle(driver, None)
            driver.wake.clear()
        while not stopped:
            with metrics.reconcile_seconds.time():
                pause = await _tried_again(driver, driver.step(), metrics)
            await _idle(driver, pause)
    except JobGone as error:
        log.info("%s", error)
    finally:
        stopping.cancel()


async def _close(driver: JobDriver, retry: int, metrics: OperatorMetrics) -> None:
    """Ends the work on a job that is being deleted, or has kopf try that again."""
    try:
        await driver.close()
    except pydantic.ValidationError as error:
        # Nobody knows what such a job may leave behind, and waiting for a version that does may be for ever.
        await _told(driver, "FilesLeft", f"The job goes and its files stay. {faults.in_words(error)}")
        await driver.let_go()
    except Exception as error:
        forced = driver.forced_to_go and retry >= _DELETION_TRIES
        cause = faults.in_words(error)
        if not forced:
            await _told(driver, "DeletionWaits", f"The deletion waits. {cause}")
            raise _again(driver, error, metrics, much_later=retry >= _DELETION_TRIES) from error
        await _told(driver, "FilesLeft", f"The job goes as it is told to, and its files stay. {cause}")
        await driver.let_go()


async def _tried_again(driver: JobDriver, work: Awaitable[ResultT], metrics: OperatorMetrics) -> ResultT:
    """Awaits ``work``; what fails in it is counted, and becomes kopf's error that is tried again soon."""
    try:
        return await work
    except JobGone:
        raise
    except Exception as error:
        if faults.kind(error) is Fault.SPEC:
            await _told(driver, "SpecNotUnderstood", faults.in_words(error))
        raise _again(driver, error, metrics) from error


def _again(
    driver: JobDriver, error: Exception, metrics: OperatorMetrics, *, much_later: bool = False
) -> kopf.TemporaryError:
    """Counts a failure; what kopf is to be told of it."""
    kind = faults.kind(error)
    metrics.error(kind)
    if kind is Fault.DEFECT:
        log.error("a defect in driving %s", driver.name, exc_info=error)
    later = much_later or kind is Fault.SPEC
    delay = _MUCH_LATER_SECONDS if later else random.uniform(*_LATER_SECONDS)
    return kopf.TemporaryError(f"{driver.name}: {faults.in_words(error)}", delay=delay)


async def _told(driver: JobDriver, reason: str, message: str) -> None:
    """Tells the job's owner; where the API server does not let us, the log alone knows."""
    try:
        await driver.complain(reason, message)
    except (ApiError, JobGone) as error:
        log.warning("%s can not be told so: %s", driver.name, error)


async def _wake_when(stopped: kopf.DaemonStopped, driver: JobDriver) -> None:
    await stopped.wait()
    driver.wake.set()


async def _idle(driver: JobDriver, seconds: float | None) -> None:
    """Waits until the running attempt is done, the driver is woken, or the time is up."""
    if driver.wake.is_set() or seconds == 0.0:
        await asyncio.sleep(0)  # a driver that is never done must not keep the loop from all others
        return
    if seconds is None or not driver.listens:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(driver.wake.wait(), seconds)
        return
    listening = asyncio.create_task(driver.listen(seconds))
    waking = asyncio.create_task(driver.wake.wait())
    try:
        await asyncio.wait({listening, waking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waking.cancel()
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
