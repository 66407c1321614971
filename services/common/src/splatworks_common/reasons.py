"""The closed set of reasons why a stage ends without a result, and one exception type for each.

A reason travels unchanged from a worker's child process through ``google.rpc.ErrorInfo`` to job status and
metrics, so the set is closed: code raises one of the exceptions below and never invents a string. A test
compares the set with the ``Reason`` enum in ``protos/splatworks/v1/common.proto``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

ERROR_DOMAIN = "splatworks.dev"


class Reason(StrEnum):
    """Why a stage ended without a result."""

    INPUT_NOT_FOUND = "InputNotFound"
    INPUT_INVALID = "InputInvalid"
    TOO_FEW_IMAGES = "TooFewImages"
    SFM_DIVERGED = "SfmDiverged"
    OUT_OF_MEMORY = "OutOfMemory"
    WORKER_LOST = "WorkerLost"
    PREEMPTED = "Preempted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    QUEUE_DEADLINE_EXCEEDED = "QueueDeadlineExceeded"
    NO_FREE_SLOT = "NoFreeSlot"
    STORAGE_UNAVAILABLE = "StorageUnavailable"
    CANCELLED = "Cancelled"
    INTERNAL = "Internal"


UNCOUNTED: frozenset[Reason] = frozenset(
    {Reason.WORKER_LOST, Reason.PREEMPTED, Reason.NO_FREE_SLOT, Reason.STORAGE_UNAVAILABLE}
)
"""Reasons that are the platform's doing and never use up a user's attempts."""


class StageError(Exception):
    """A stage ended with a reason. The message says what, where, and what to do."""

    reason: ClassVar[Reason] = Reason.INTERNAL


class InputNotFound(StageError):
    """An input object, file or prefix is not there."""

    reason = Reason.INPUT_NOT_FOUND


class InputInvalid(StageError):
    """An input is there but can not, or must not, be used."""

    reason = Reason.INPUT_INVALID


class InvalidField(InputInvalid):
    """One field of a request has a value that can not be used.

    Attributes:
        field: The field's path in the request ("options.max_features").
        description: What is wrong with it and what would be right.
    """

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}")
        self.field = field
        self.description = description


class TooFewImages(StageError):
    """Fewer usable photos than a reconstruction needs."""

    reason = Reason.TOO_FEW_IMAGES


class SfmDiverged(StageError):
    """The photos could not be put into one consistent model."""

    reason = Reason.SFM_DIVERGED


class OutOfMemory(StageError):
    """The kernel, a cgroup or a set limit took the memory away."""

    reason = Reason.OUT_OF_MEMORY


class WorkerLost(StageError):
    """The worker that ran the operation is gone, and its result with it."""

    reason = Reason.WORKER_LOST


class Preempted(StageError):
    """The worker was told to stop before the work was done."""

    reason = Reason.PREEMPTED


class DeadlineExceeded(StageError):
    """The operation ran longer than its timeout."""

    reason = Reason.DEADLINE_EXCEEDED


class NoFreeSlot(StageError):
    """The worker is already running as many operations as it may."""

    reason = Reason.NO_FREE_SLOT


class StorageUnavailable(StageError):
    """The object store did not answer within all retries."""

    reason = Reason.STORAGE_UNAVAILABLE


class Cancelled(StageError):
    """Somebody asked for the operation to stop."""

    reason = Reason.CANCELLED


class Internal(StageError):
    """A defect in Splatworks, or a crash of a library it uses."""

    reason = Reason.INTERNAL


class QueueDeadlineExceeded(StageError):
    """The job waited longer for a worker than it was willing to."""

    reason = Reason.QUEUE_DEADLINE_EXCEEDED


ERROR_BY_REASON: dict[Reason, type[StageError]] = {
    error.reason: error for error in StageError.__subclasses__()
}
"""The exception type of each reason: how a reason read off the wire becomes an exception again."""
