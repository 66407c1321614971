"""Which photo's camera a visitor looks through first, and what that camera is in the viewer's terms.

Splatworks' world has +y down (``splatworks_common.cameras``); the viewer turns the splats half a turn about
z, so that +y is up. The viewer's camera always stands upright, looks from a position at a target, and has one
field of view, which it applies to the longer side of its canvas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid
from splatworks_common.splats import Splats

_MAX_POINTS = 20_000
"""More Gaussians than this do not change which camera sees most; an even sample of them is looked at."""

_NEAR_BEST = 0.9
"""Cameras that see at least this share of what the best one sees count as equally good."""

_MAX_ROLL = math.radians(10)
_MAX_PITCH = math.radians(60)
"""The viewer can not roll, and looks oddly when it starts from straight above: such views come last."""

_ROLL_COST = math.radians(3)
"""A roll of this much makes a view as unwelcome as being twice as far from the other cameras."""

_CENTRE = 0.25
"""How far from the middle, in image sizes, a Gaussian counts as what the camera looks at."""

_FOV_RANGE = (10.0, 120.0)
"""Degrees; what the viewer takes."""

_VIEWER_FROM_WORLD = np.array([-1.0, -1.0, 1.0])
"""Half a turn about z."""


@dataclass(frozen=True)
class ViewerCamera:
    """A camera as the viewer's settings describe it.

    Attributes:
        position: Where it stands, in the viewer's world (+y up).
        target: What it looks at and turns around.
        fov: Field of view across the longer side of the canvas, in degrees.
    """

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    fov: float


@dataclass(frozen=True)
class Points:
    """What there is to see: centres ``[N, 3]`` in world units, and how opaque each is, ``[N]`` in 0..1."""

    means: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, splats: Splats) -> Points:
        """An even sample of the Gaussians."""
        rows = slice(None, None, max(1, math.ceil(len(splats) / _MAX_POINTS)))
        opacities = 1 / (1 + np.exp(-splats.opacities[rows].astype(np.float64)))
        return cls(splats.means[rows].astype(np.float64), opacities)


def choose_first_view(cameras: Sequence[Camera], points: Points) -> Camera:
    """Picks the most central and level of the upright cameras that see most of the scene.

    Most central is the one with the least summed distance to all others. The same input gives the same
    answer, whatever the order of ``cameras``.

    Raises:
        InputInvalid: There is no camera, or none sees a single Gaussian.
    """
    ordered = sorted(cameras, key=lambda camera: camera.name)
    candidates = [camera for camera in ordered if _is_upright(camera)] or ordered
    seen = [float(points.weights @ _visible(camera, points.means)) for camera in candidates]
    if not any(seen):
        raise InputInvalid(f"none of the {len(ordered)} cameras sees any Gaussian; train the scene again")
    good = [camera for camera, share in zip(candidates, seen, strict=True) if share >= _NEAR_BEST * max(seen)]
    centres = np.array([camera.position for camera in ordered])
    distances = [float(np.linalg.norm(centres - camera.position, axis=1).sum()) for camera in good]
    nearest = min(distances) or 1.0
    costs = [
        distance / nearest + abs(roll(camera)) / _ROLL_COST
        for camera, distance in zip(good, distances, strict=True)
    ]
    return good[costs.index(min(costs))]


def viewer_camera(camera: Camera, points: Points) -> ViewerCamera:
    """The viewer's camera that shows what ``camera`` shows.

    It looks along the ray through the middle of the image, which differs from the optical axis where the
    principal point is off centre. The target lies on that ray, as far away as the Gaussians around the middle
    (their median).

    Raises:
        InputInvalid: ``camera`` sees no Gaussian.
    """
    middle = np.array(
        [(camera.width / 2 - camera.cx) / camera.fx, (camera.height / 2 - camera.cy) / camera.fy, 1.0]
    )
    direction = camera.viewmat[:3, :3].T @ (middle / np.linalg.norm(middle))
    target = camera.position + direction * _distance(camera, points)
    return ViewerCamera(
        position=_in_viewer(camera.position), target=_in_viewer(target), fov=_field_of_view(camera)
    )


def roll(camera: Camera) -> float:
    """How far a camera is turned about its own axis, in radians; clockwise, seen from behind it, is positive.

    The viewer shows the same view with no roll, so its picture is the photo turned by this about its middle.
    """
    right, down, _ = camera.viewmat[:3, :3]
    return math.atan2(right[1], down[1])


def _is_upright(camera: Camera) -> bool:
    ahead = camera.viewmat[2, :3]
    return bool(abs(roll(camera)) <= _MAX_ROLL and abs(ahead[1]) <= math.sin(_MAX_PITCH))


def _visible(camera: Camera, means: NDArray[np.float64], reach: float = 0.5) -> NDArray[np.bool_]:
    """Which centres lie in front of the camera and at most ``reach`` image sizes from the middle."""
    pixels, depths = camera.project(means)
    offsets = pixels / (camera.width, camera.height) - 0.5
    return np.asarray((depths > 0) & (np.abs(offsets) <= reach).all(axis=1))


def _distance(camera: Camera, points: Points) -> float:
    for reach in (_CENTRE, 0.5):
        visible = _visible(camera, points.means, reach)
        if visible.any():
            _, depths = camera.project(points.means[visible])
            return float(np.median(depths))
    raise InputInvalid(f"camera {camera.name} sees no Gaussian; train the scene again")


def _field_of_view(camera: Camera) -> float:
    if camera.width > camera.height:
        near, far, focal = camera.cx, camera.width - camera.cx, camera.fx
    else:
        near, far, focal = camera.cy, camera.height - camera.cy, camera.fy
    degrees = math.degrees(math.atan(near / focal) + math.atan(far / focal))
    return min(max(degrees, _FOV_RANGE[0]), _FOV_RANGE[1])


def _in_viewer(point: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in point * _VIEWER_FROM_WORLD)
    return x, y, z
