"""What fails in driving a job, by kind: something outside that comes right, the spec, or ourselves."""

from __future__ import annotations

from enum import StrEnum

import pydantic

from splatworks_common.reasons import StageError
from splatworks_operator.kube.acting import NotYet
from splatworks_operator.kube.api import ApiError


class Fault(StrEnum):
    """Kinds of faults, as the metrics have them."""

    API = "api"
    STORE = "store"
    WORKER = "worker"
    SPEC = "spec"
    DEFECT = "defect"


_KINDS: dict[type[Exception], Fault] = {
    ApiError: Fault.API,
    StageError: Fault.STORE,
    NotYet: Fault.WORKER,
    pydantic.ValidationError: Fault.SPEC,
}


def kind(error: Exception) -> Fault:
    """What kind of fault an error is."""
    return next((kind for type, kind in _KINDS.items() if isinstance(error, type)), Fault.DEFECT)


def in_words(error: Exception) -> str:
    """An error as one sentence for the job's owner; of a defect only that it is one."""
    if isinstance(error, pydantic.ValidationError):
        where = "; ".join(
            f"spec.{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()
        )
        return f"This version of the operator does not know such a spec: {where}"
    if kind(error) is Fault.DEFECT:
        return "The operator met a defect of its own; its log says which."
    return str(error)
