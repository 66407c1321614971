"""What the operator does all the time never stops unnoticed."""

from __future__ import annotations

from splatworks_operator.status import StageName
from tests.fakes.kube_api import SLICES
from tests.integration.operator.conftest import World, until
from tests.integration.operator.pods import NAMESPACE, pods_of_all_stages


def test_an_operator_whose_discovery_ends_by_itself_ends_too_and_says_why(world: World):
    pods = pods_of_all_stages(world)
    operator = world.operator_process(**pods.config())
    operator.start()
    until(lambda: operator.probe("/readyz")[0] == 200, 60)
    broken = {"endpoints": [{"conditions": {"ready": True}}]}  # no API server shows one without addresses
    world.kube.patch(SLICES, NAMESPACE, f"{StageName.TRAIN}-1", broken)
    assert operator.wait(30) == 1
    assert "discovery ended by itself" in operator.log
    assert "KeyError: 'addresses'" in operator.log
