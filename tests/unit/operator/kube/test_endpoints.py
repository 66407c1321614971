from __future__ import annotations

from typing import Any

from splatworks_operator.kube.config import WorkersConfig
from splatworks_operator.kube.discovery import endpoints
from splatworks_operator.status import StageName


def _slice(service: str, *found: dict[str, Any]) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service}
    return {"metadata": {"name": "a", "labels": labels}, "endpoints": list(found)}


def _endpoint(address: str, pod: str = "", **conditions: bool) -> dict[str, Any]:
    target = {"targetRef": {"kind": "Pod", "name": pod}} if pod else {}
    return {"addresses": [address], "conditions": conditions, **target}


def test_an_endpoint_is_named_by_its_pod_and_dialled_on_the_workers_port():
    found = endpoints([_slice("splatworks-sfm", _endpoint("10.0.0.7", "sfm-0", ready=True))], WorkersConfig())
    assert [(e.stage, e.name, e.address, e.ready) for e in found] == [
        (StageName.SFM, "sfm-0", "10.0.0.7:50051", True)
    ]


def test_a_pod_that_ends_or_is_not_ready_is_known_and_gets_nothing_new():
    slices = [
        _slice(
            "splatworks-trainer",
            _endpoint("10.0.0.1", "ends", ready=True, terminating=True),
            _endpoint("10.0.0.2", "starts", ready=False),
            _endpoint("10.0.0.3", "unknown"),
        )
    ]
    assert {e.name: e.ready for e in endpoints(slices, WorkersConfig())} == {
        "ends": False,
        "starts": False,
        "unknown": True,
    }


def test_a_pod_in_two_slices_counts_once_and_foreign_services_not_at_all():
    slices = [
        _slice("splatworks-sfm", _endpoint("10.0.0.7", "sfm-0")),
        _slice("splatworks-sfm", _endpoint("10.0.0.7", "sfm-0")),
        _slice("database", _endpoint("10.0.0.8", "db-0")),
        {"metadata": {"name": "b"}, "endpoints": None},
    ]
    assert [e.name for e in endpoints(slices, WorkersConfig())] == ["sfm-0"]


def test_an_ipv6_address_is_written_in_brackets():
    [found] = endpoints([_slice("splatworks-sfm", _endpoint("fd00::7"))], WorkersConfig())
    assert (found.name, found.address, found.is_pod) == ("[fd00::7]:50051", "[fd00::7]:50051", False)
