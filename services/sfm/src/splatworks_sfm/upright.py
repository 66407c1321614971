"""Turns a model so that world +y points down, the way people held the camera.

Structure from motion leaves the world's axes to chance. Two things are known of people: they seldom tilt the
camera sideways, so its x axis is level; and its y axis points down more than up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from splatworks_sfm.mapping import registered_images
from splatworks_sfm.pycolmap_import import pycolmap

_HABIT = 0.01
"""Weight of "y points down on average" against "x is level". Level x axes say nothing about pitch where all
cameras face the same way; this decides there, and gives way from about 6 degrees of spread."""


def turn_upright(model: pycolmap.Reconstruction) -> None:
    """Rotates the model about the origin, in place; scale stays."""
    axes = np.array([image.cam_from_world().rotation.matrix() for image in registered_images(model)])
    rotation = rotation_between(down_direction(axes), np.array([0.0, 1.0, 0.0]))
    model.transform(pycolmap.Sim3d(1.0, pycolmap.Rotation3d(rotation), np.zeros(3)))


def down_direction(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where down is, as a unit vector ``[3]`` in the world of the cameras.

    Args:
        axes: World-to-camera rotations ``[N, 3, 3]``: the rows are the camera's x, y and z axes in the world.
    """
    right, down, forward = axes[:, 0], axes[:, 1], axes[:, 2]
    habit = down.mean(axis=0)
    tilt = right.T @ right / len(axes) + _HABIT * (habit @ habit * np.eye(3) - np.outer(habit, habit))
    candidate = np.linalg.eigh(tilt)[1][:, 0]
    # Straight-down photos have level y axes; they look down instead. At half weight, so that looking up at a
    # tower does not turn it over.
    towards = candidate @ (habit + 0.5 * forward.mean(axis=0))
    return np.asarray(candidate if towards >= 0 else -candidate)


def rotation_between(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rotation ``[3, 3]`` that turns one unit vector into another."""
    cosine = start @ end
    if cosine < -1 + 1e-12:
        # Opposite: half a turn about any axis across.
        across = np.eye(3)[np.argmin(np.abs(start))]
        across = across - (across @ start) * start
        across /= np.linalg.norm(across)
        return np.asarray(2 * np.outer(across, across) - np.eye(3))
    x, y, z = np.cross(start, end)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + cosine))
