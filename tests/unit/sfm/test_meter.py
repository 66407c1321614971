from itertools import count

import pytest

from splatworks_sfm.meter import Meter


def test_a_step_costs_the_time_between_its_ends() -> None:
    wall, cpu = count(0.0, 5.0), count(0.0, 2.0)
    meter = Meter(lambda: next(wall), lambda: next(cpu))

    with meter.step("matching"):
        pass

    assert (meter.costs["matching"].seconds, meter.costs["matching"].cpu_seconds) == (5.0, 2.0)


def test_a_step_has_its_own_memory_peak() -> None:
    meter = Meter(lambda: 0.0, lambda: 0.0)

    with meter.step("big"):
        block = bytearray(200 << 20)
        block[::4096] = b"x" * len(block[::4096])
        del block
    with meter.step("small"):
        pass

    assert meter.costs["big"].peak_bytes > meter.costs["small"].peak_bytes + (100 << 20)


def test_a_step_that_fails_is_not_counted() -> None:
    meter = Meter(lambda: 0.0, lambda: 0.0)

    with pytest.raises(ValueError, match="no"), meter.step("features"):
        raise ValueError("no")

    assert meter.costs == {}
