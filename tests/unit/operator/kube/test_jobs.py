from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from splatworks_operator.kube.jobs import JobTable
from splatworks_operator.kube.platform import Platform
from splatworks_operator.kube.slots import SlotTable


def _resource(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"uid": name, "namespace": "team", "name": name}, "spec": {}, "status": status}


async def test_a_status_of_another_version_stops_no_other_job():
    table = JobTable(cast(Platform, SimpleNamespace(slots=SlotTable())))
    table.load([_resource("odd", phase="Dreaming"), _resource("usual", phase="Queued")])
    assert [driver.name for driver in table.snapshot()] == ["team/usual"]
