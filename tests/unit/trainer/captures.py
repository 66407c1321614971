"""Cameras of captures as people make them: around a thing, along a street, from a drone, from one spot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera

Vector = Sequence[float] | NDArray[np.float64]
UP = (0.0, -1.0, 0.0)


def looking(position: Vector, target: Vector, up: Vector = UP, name: str = "a.jpg") -> Camera:
    """A camera of 320 x 240 pixels at ``position`` with ``target`` in the middle of its picture."""
    forward = np.subtract(target, position).astype(np.float64)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    viewmat = np.eye(4)
    viewmat[:3, :3] = right, np.cross(forward, right), forward
    viewmat[:3, 3] = -viewmat[:3, :3] @ np.asarray(position, np.float64)
    return Camera(name, viewmat, 300.0, 300.0, 158.0, 123.0, 320, 240)


def ring(count: int, radius: float = 3.0, height: float = 1.0) -> list[Camera]:
    """Around the origin, looking at it from a little above."""
    turns = np.arange(count) * 2 * np.pi / count
    return [
        looking((radius * np.cos(turn), -height, radius * np.sin(turn)), (0, 0, 0), name=f"{turn:.3f}.jpg")
        for turn in turns
    ]


def street(count: int) -> list[Camera]:
    """Along x, looking across the street, with an unsteady hand."""
    rng = np.random.default_rng(3)
    spots = np.stack([np.linspace(0, 20, count), rng.normal(0, 0.05, count), np.zeros(count)], axis=1)
    return [looking(spot, np.add(spot, (rng.normal(0, 0.03), 0, 5))) for spot in spots]


def drone(rows: int, columns: int, tilt: float = 0.02) -> list[Camera]:
    """Straight down from 10 units above ground, row by row, the drone turned round for every other row."""
    rng = np.random.default_rng(5)
    cameras = []
    for row in range(rows):
        heading = (1.0, 0.0, 0.0) if row % 2 == 0 else (-1.0, 0.0, 0.0)
        for column in range(columns) if row % 2 == 0 else reversed(range(columns)):
            spot = np.array([2.0 * column, -10.0, 2.0 * row])
            east, north = rng.normal(0, tilt, 2)
            cameras.append(looking(spot, np.add(spot, (east, 1, north)), heading))
    return cameras


def panorama(count: int) -> list[Camera]:
    """All around from one spot."""
    turns = np.arange(count) * 2 * np.pi / count
    return [looking((1, 2, 3), (1 + np.cos(turn), 2, 3 + np.sin(turn))) for turn in turns]
