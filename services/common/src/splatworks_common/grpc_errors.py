"""Stage errors as ``google.rpc.Status`` and back: the one place that knows both.

On the wire an error is a canonical code, a message, an ``ErrorInfo`` with the reason, and where it helps the
caller a ``BadRequest`` (which field) or a ``RetryInfo`` (when to try again).
"""

from __future__ import annotations

import logging
from typing import Any, cast

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from splatworks_common import reasons
from splatworks_common.interception import Call, UnaryInterceptor
from splatworks_common.operations.registry import (
    Draining,
    OperationForgotten,
    OperationRunning,
    RequestIdReused,
    UnknownOperation,
)
from splatworks_common.reasons import ERROR_BY_REASON, ERROR_DOMAIN, Reason, StageError

log = logging.getLogger(__name__)

_CODES: dict[Reason, int] = {
    Reason.INPUT_NOT_FOUND: code_pb2.NOT_FOUND,
    Reason.INPUT_INVALID: code_pb2.INVALID_ARGUMENT,
    Reason.TOO_FEW_IMAGES: code_pb2.FAILED_PRECONDITION,
    Reason.SFM_DIVERGED: code_pb2.FAILED_PRECONDITION,
    Reason.OUT_OF_MEMORY: code_pb2.RESOURCE_EXHAUSTED,
    Reason.WORKER_LOST: code_pb2.UNAVAILABLE,
    Reason.PREEMPTED: code_pb2.UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED: code_pb2.DEADLINE_EXCEEDED,
    Reason.QUEUE_DEADLINE_EXCEEDED: code_pb2.DEADLINE_EXCEEDED,
    Reason.NO_FREE_SLOT: code_pb2.RESOURCE_EXHAUSTED,
    Reason.STORAGE_UNAVAILABLE: code_pb2.UNAVAILABLE,
    Reason.CANCELLED: code_pb2.CANCELLED,
    Reason.INTERNAL: code_pb2.INTERNAL,
}

_RETRY_SECONDS = 5
"""When a caller refused for want of a slot may ask again."""


def to_status(error: StageError) -> status_pb2.Status:
    """The error as it goes over the wire."""
    details: list[Any] = [_error_info(error.reason)]
    if isinstance(error, reasons.InvalidField):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=error.description
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if error.reason is Reason.NO_FREE_SLOT:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(_RETRY_SECONDS)
        details.append(retry)
    return _status(_CODES[error.reason], str(error), details)


def from_status(status: status_pb2.Status) -> StageError:
    """The exception that ``status`` was made from; ``Internal`` where it names no reason of ours."""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == ERROR_DOMAIN and info.reason in set(Reason):
            return ERROR_BY_REASON[Reason(info.reason)](status.message)
    return reasons.Internal(f"{status.message} (gRPC code {code_pb2.Code.Name(status.code)})")


def from_call(error: grpc.aio.AioRpcError) -> StageError:
    """What a failed call says: the server's reason, or ``WorkerLost`` where no server answered."""
    status = rpc_status.from_call(cast(grpc.Call, error))
    if status is not None:
        return from_status(status)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return reasons.WorkerLost(f"The worker does not answer: {error.details()}")
    return reasons.Internal(f"{error.details()} (gRPC code {error.code().name})")


def unauthenticated(message: str, why: str) -> status_pb2.Status:
    """The refusal of a call without the right identity.

    Its reason is ``WorkerLost``: to a caller the worker is of no use, and that is the platform's doing.
    """
    info = _error_info(Reason.WORKER_LOST)
    info.metadata["why"] = why
    return _status(code_pb2.UNAUTHENTICATED, message, [info])


class ErrorInterceptor(UnaryInterceptor):
    """Answers a handler's ``StageError`` with its status, so that handlers simply raise."""

    async def around(self, method: str, call: Call, request: Any, context: Any) -> Any:
        """Turns what the handler raises into a status."""
        try:
            return await call(request, context)
        except StageError as error:
            status = to_status(error)
        except RequestIdReused as error:
            status = _status(code_pb2.ALREADY_EXISTS, str(error), [_error_info(Reason.INPUT_INVALID)])
        except OperationForgotten as error:
            # It ran, and only its output can tell how that ended: no mistake of the caller.
            status = _status(code_pb2.ALREADY_EXISTS, str(error), [_error_info(Reason.WORKER_LOST)])
        except OperationRunning as error:
            status = _status(code_pb2.FAILED_PRECONDITION, str(error), [_error_info(Reason.INPUT_INVALID)])
        except UnknownOperation as error:
            # To the caller the work is lost, whether the worker was restarted or has forgotten it.
            status = _status(code_pb2.NOT_FOUND, str(error), [_error_info(Reason.WORKER_LOST)])
        except Draining as error:
            status = to_status(reasons.Preempted(str(error)))
        except Exception as error:
            log.exception("%s failed", method)
            status = to_status(reasons.Internal(f"{method} failed: {error!r}"))
        return await context.abort_with_status(rpc_status.to_status(status))


def _error_info(reason: Reason) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(domain=ERROR_DOMAIN, reason=reason)


def _status(code: int, message: str, details: list[Any]) -> status_pb2.Status:
    packed = []
    for detail in details:
        holder = any_pb2.Any()
        holder.Pack(detail)
        packed.append(holder)
    return status_pb2.Status(code=code, message=message, details=packed)
