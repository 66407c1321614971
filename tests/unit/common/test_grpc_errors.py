from __future__ import annotations

import pytest
from google.rpc import error_details_pb2, status_pb2

from splatworks.v1 import common_pb2
from splatworks_common import grpc_errors, reasons
from splatworks_common.reasons import ERROR_BY_REASON, Reason


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_survives_the_wire(reason):
    error = grpc_errors.from_status(grpc_errors.to_status(ERROR_BY_REASON[reason]("what to do")))
    assert (error.reason, str(error)) == (reason, "what to do")


def test_the_enum_on_the_wire_and_the_reasons_are_the_same_set():
    names = {name.removeprefix("REASON_") for name in common_pb2.Reason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert names == {reason.name for reason in Reason}


def test_a_status_without_our_reason_is_internal_and_keeps_its_message():
    error = grpc_errors.from_status(status_pb2.Status(code=5, message="no such thing"))
    assert error.reason is Reason.INTERNAL
    assert "no such thing" in str(error)


def test_an_invalid_field_names_the_field_in_a_bad_request():
    status = grpc_errors.to_status(reasons.InvalidField("options.seed", "must not be negative"))
    request = error_details_pb2.BadRequest()
    assert any(detail.Unpack(request) for detail in status.details)
    assert request.field_violations[0].field == "options.seed"


def test_no_free_slot_says_when_to_try_again():
    status = grpc_errors.to_status(reasons.NoFreeSlot("busy"))
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    assert retry.retry_delay.ToTimedelta().total_seconds() > 0
