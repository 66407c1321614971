"""How the running attempt of one job is seen: through its worker, or by its manifest where that is gone.

An attempt belongs to one process, named by its instance: where that is gone, starting the attempt again
anywhere else is refused by the worker, and the manifest alone says whether it had finished. A worker that
does not answer has said nothing, until that has lasted too long.
"""

from __future__ import annotations

import asyncio
import logging
import time

from splatworks_common.reasons import InputInvalid
from splatworks_operator import observing
from splatworks_operator.job import Job
from splatworks_operator.kube.platform import Platform
from splatworks_operator.kube.workers import UnknownOperation, Unreachable
from splatworks_operator.pipeline import Observation
from splatworks_operator.requests import output_uri
from splatworks_operator.status import StageStatus, WorkerRef

log = logging.getLogger(__name__)

_UNREACHABLE_SECONDS = 90.0
"""A worker that does not answer for so long has lost what it ran."""

_SHORTEST_LISTEN_SECONDS = 1.0


class Attempt:
    """What is known of a job's running attempt beside its status."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._heard: tuple[str, Observation] | None = None
        self._silent_since: float | None = None

    def has_news(self, stage: StageStatus | None) -> bool:
        """Whether something was heard of a job's current stage that no look has taken yet."""
        return self._heard is not None and stage is not None and self._heard[0] == stage.operation

    def hear(self, operation: str, observation: Observation) -> None:
        """The next look at that operation sees this, and asks nobody."""
        self._heard = (operation, observation)

    def forget_news(self) -> None:
        """What was heard does not count any more."""
        self._heard = None

    def answered(self) -> None:
        """The attempt's worker has answered."""
        self._silent_since = None

    def unanswered(self, worker: WorkerRef) -> bool:
        """The attempt's worker has not answered; tells whether it must be given up."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        return not self._platform.known.knows(worker) or now - self._silent_since >= _UNREACHABLE_SECONDS

    async def look(self, job: Job, stage: StageStatus) -> Observation:
        """What becomes of a running stage."""
        assert stage.worker is not None, "a running stage has a worker"
        heard, self._heard = self._heard, None
        if heard is not None and heard[0] == stage.operation:
            return heard[1]
        try:
            state = await self._platform.workers.get(stage.name, stage.worker, stage.operation)
        except UnknownOperation:
            self.answered()
            return await self.finished(job, stage) or Observation()
        except Unreachable as error:
            if not self.unanswered(stage.worker):
                log.info("%s of %s: %s", stage.name, job.name, error)
                return Observation(progress=stage.progress)
            lost = Observation(lost=f"Worker {stage.worker.name} is gone or does not answer.")
            return await self.finished(job, stage) or lost
        self.answered()
        return observing.of_operation(state)

    async def listen(self, stage: StageStatus, seconds: float) -> None:
        """Waits until the attempt is done, at most so long; cancel it when something else happens."""
        if stage.worker is None or self._silent_since is not None:
            await asyncio.sleep(seconds)
            return
        started = time.monotonic()
        try:
            state = await self._platform.workers.wait(stage.name, stage.worker, stage.operation, seconds)
        except (Unreachable, UnknownOperation):
            # The next look asks again and decides what it means; not at once, though, if it comes early.
            early = _SHORTEST_LISTEN_SECONDS - (time.monotonic() - started)
            await asyncio.sleep(min(seconds, max(0.0, early)))
            return
        self.hear(stage.operation, observing.of_operation(state))

    async def finished(self, job: Job, stage: StageStatus) -> Observation | None:
        """What the manifest says, where the operation can not say it; None where there is none."""
        uri = output_uri(job, stage.name)
        try:
            manifest = await self._platform.artifacts.manifest(uri)
        except InputInvalid as error:  # the next attempt meets it too, and says so to the person
            log.error("%s/%s: %s", job.namespace, job.name, error)
            return None
        return None if manifest is None else observing.of_manifest(manifest, uri)
