import numpy as np
import pytest
from numpy.typing import NDArray

from splatworks_sfm.upright import down_direction, rotation_between


def looking(yaw: float, pitch: float, roll: float = 0.0) -> NDArray[np.float64]:
    """World-to-camera rotation in a world with +y down; degrees, positive pitch looks down."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(tilt @ nod @ turn)


def degrees_from_down(axes: list[NDArray[np.float64]], world: NDArray[np.float64]) -> float:
    """How far the estimate is off when the world is turned by ``world``."""
    found = down_direction(np.array([axis @ world.T for axis in axes]))
    return float(np.degrees(np.arccos(np.clip(found @ world @ [0, 1, 0], -1, 1))))


@pytest.mark.parametrize(
    "axes",
    [
        [looking(yaw, 0) for yaw in range(0, 360, 30)],
        [looking(yaw, 35) for yaw in range(0, 90, 10)],
        [looking(yaw, 89) for yaw in range(0, 360, 45)],
        [looking(yaw, -40) for yaw in range(-60, 60, 20)],
        [looking(0, 0)] * 5,
    ],
    ids=["around", "half around, looking down", "straight down", "up at a tower", "all the same way"],
)
def test_down_is_found_however_the_world_is_turned(axes: list[NDArray[np.float64]]) -> None:
    world = looking(50, 120, 200)

    assert degrees_from_down(axes, world) < 2


def test_a_shaky_hand_averages_out() -> None:
    roll = np.random.default_rng(0).normal(0, 4, 36)
    axes = [looking(10 * number, 20, roll[number]) for number in range(36)]

    assert degrees_from_down(axes, np.eye(3)) < 2


@pytest.mark.parametrize("start", [[0, 1, 0], [0, -1, 0], [1, 0, 0], [0.6, 0, 0.8], [0, -0.6, 0.8]])
def test_the_rotation_turns_one_vector_into_the_other(start: list[float]) -> None:
    rotation = rotation_between(np.array(start, float), np.array([0.0, 1.0, 0.0]))

    assert rotation @ start == pytest.approx([0, 1, 0])
    assert rotation @ rotation.T == pytest.approx(np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)
