"""Carries out what ``pipeline`` decided for one job: at the workers, the API server and the object store.

Every action may be carried out again: what was done already is found done.
"""

from __future__ import annotations

import logging

from google.protobuf.message import Message

from splatworks.v1 import sfm_pb2
from splatworks_common.reasons import StageError
from splatworks_operator import observing
from splatworks_operator.job import Job
from splatworks_operator.kube.attempt import Attempt
from splatworks_operator.kube.platform import Platform
from splatworks_operator.kube.workers import ProcessGone, UnknownOperation, Unreachable
from splatworks_operator.pipeline import (
    Action,
    Cancel,
    DeleteArtifacts,
    DeleteIntermediates,
    DeleteJob,
    Failure,
    Observation,
    Start,
)
from splatworks_operator.requests import CALLS, output_uri
from splatworks_operator.status import JobStatus, StageName

log = logging.getLogger(__name__)

_INTERMEDIATES = (StageName.SFM, StageName.TRAIN)


class NotYet(Exception):
    """Something outside must come right first; the message says what. Nothing is lost by trying again."""


class Actor:
    """The hands of one job's driver.

    Args:
        platform: What all drivers share.
        attempt: Told of what becomes of the attempts that are started and cancelled here.
    """

    def __init__(self, platform: Platform, attempt: Attempt) -> None:
        self._platform = platform
        self._attempt = attempt

    async def carry_out(self, action: Action, job: Job, status: JobStatus) -> None:
        """Carries out one action.

        Raises:
            NotYet: Something outside must come right first.
            ApiError, StageError: The same, of the API server and the object store.
        """
        match action:
            case Start():
                await self._start(action, job, status)
            case Cancel():
                await self._cancel(action)
            case DeleteIntermediates():
                for stage in _INTERMEDIATES:
                    await self._platform.artifacts.delete(output_uri(job, stage))
            case DeleteArtifacts():
                await self._unpublish(job, status)
                await self._platform.artifacts.delete(job.output_uri)
            case DeleteJob():
                await self._platform.jobs.delete(job)

    async def _start(self, action: Start, job: Job, status: JobStatus) -> None:
        stage = status.stage(action.stage)
        self._attempt.forget_news()
        try:
            request = await self._request(action, job)
            state = await self._platform.workers.start(action.stage, action.worker, request)
        except Unreachable as error:
            # Whether it was started is not known; the next look finds out.
            self._attempt.unanswered(action.worker)
            self._platform.known.ask_again(action.worker)
            log.info("%s of %s may not have been started: %s", action.stage, job.name, error)
        except ProcessGone as error:
            self._platform.known.ask_again(action.worker)
            lost = await self._attempt.finished(job, stage) or Observation(lost=str(error))
            self._attempt.hear(stage.operation, lost)
        except StageError as error:
            self._attempt.hear(stage.operation, Observation(failure=Failure(error.reason, str(error))))
        else:
            self._attempt.answered()
            if state.done:
                self._attempt.hear(stage.operation, observing.of_operation(state))

    async def _request(self, action: Start, job: Job) -> Message:
        request = CALLS[action.stage].request(job, action.request_id)
        secret = job.spec.source.secret_ref
        if isinstance(request, sfm_pb2.ReconstructRequest) and secret is not None:
            keys = await self._platform.jobs.source_credentials(job.namespace, secret.name)
            request.photos_credentials.access_key = keys.access_key
            request.photos_credentials.secret_key = keys.secret_key
        return request

    async def _cancel(self, action: Cancel) -> None:
        try:
            await self._platform.workers.cancel(action.stage, action.worker, action.operation)
        except UnknownOperation:
            return  # never started, or long over
        except Unreachable as error:
            if not self._attempt.unanswered(action.worker):
                raise NotYet(
                    f"The attempt on {action.worker.name} can not be stopped yet: {error}"
                ) from error
            # The worker's own work has ended with it.

    async def _unpublish(self, job: Job, status: JobStatus) -> None:
        if status.stage(StageName.PUBLISH).attempt == 0:
            return
        streamers = self._platform.known.of_stage(StageName.PUBLISH)
        if not streamers:
            raise NotYet("No streamer answers that could take the scene off the web.")
        try:
            await self._platform.workers.unpublish(streamers[0], job.slug)
        except Unreachable as error:
            raise NotYet(f"The scene is not off the web yet: {error}") from error
