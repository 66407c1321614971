"""A flight through what was photographed: from a capture's cameras to a closed, smooth path of cameras.

A model of Gaussians looks right from where photos were taken and falls apart elsewhere, so the path leads
from one photographer's place to the next: a few of them stand for all, a short tour visits each, and a spline
rounds it. It looks where they looked: along a street it goes there and back. Where they look at one thing
from around it, the path keeps that near the middle and its distance. It stands upright (the world's +y points
down) however the photographer held the camera.

All pure: the same cameras give the same path.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from splatworks_common.cameras import Camera

Array = NDArray[np.float64]

_MOST_STOPS = 10
_CROWD = 3
"""With so many cameras to a stop, one that stands for itself alone is an outlier or at the rim: left out."""

_WIDEST_TURN = np.radians(60)
"""Between two knots of the spline; a mean of directions further apart may point anywhere."""

_STEEPEST = 0.3
"""Sine of the angle to the plumb line, below which "upright" means nothing: photos straight down."""

_SWAY = np.radians(3)
"""How far a view turns about a capture of one viewpoint; a film that stands still looks broken."""

_UP = np.array([0.0, -1.0, 0.0])

_AROUND = 0.02
"""Least variance of the directions of view across the one they differ least in: 8 degrees, for a focus."""

_OFF_FOCUS = np.radians(25)
"""How far from the middle of its picture the focus may be in most photos."""

_CLOSE_UP = 0.9
"""Photos from nearer than this share of the median distance show a detail; the path keeps its distance."""


def pose_distances(cameras: Sequence[Camera]) -> Array:
    """How different the views are, ``[N, N]``.

    That is the angle between their directions in radians, plus the distance of their positions in units of
    the capture's reach.
    """
    positions, forwards = _positions(cameras), _axes(cameras)[:, 2]
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    angles = np.arccos(np.clip(forwards @ forwards.T, -1, 1))
    return np.asarray(angles + apart / _reach(positions))


def central_view(cameras: Sequence[Camera]) -> Camera:
    """The camera whose view differs least from all others; of equal ones the first."""
    return cameras[int(np.argmin(pose_distances(cameras).sum(axis=1)))]


def resized_to(camera: Camera, long_side: int) -> Camera:
    """The camera with at most ``long_side`` pixels on its longer side, and both even, as video wants them."""
    factor = min(1.0, long_side / max(camera.width, camera.height))
    return camera.resized(_even(camera.width * factor), _even(camera.height * factor))


def camera_path(cameras: Sequence[Camera], frames: int, *, long_side: int) -> list[Camera]:
    """A closed path through the capture, at constant speed; the last frame is followed by the first.

    Args:
        cameras: The capture's cameras, at least one, in any order.
        frames: How many cameras to return.
        long_side: Longest side of theirs in pixels. Proportions and field of view are those of the most
            central camera, the principal point is in the middle.
    """
    lens = resized_to(central_view(cameras), long_side)
    focus = focus_of(cameras)
    stops = _tour(_stops(_overviews(cameras, focus)))
    positions, axes = _positions(stops), _axes(stops)
    forwards = axes[:, 2] if focus is None else axes[:, 2] + _towards(focus, positions)
    knots = _knots(positions, _upright(forwards, axes[:, 1]), focus)
    positions, rotations = _through(*knots, frames)
    viewmats = np.tile(np.eye(4), (frames, 1, 1))
    viewmats[:, :3, :3] = rotations
    viewmats[:, :3, 3] = -np.einsum("nij,nj->ni", rotations, positions)
    return [
        Camera(
            f"frame {index}",
            viewmat,
            lens.fx,
            lens.fy,
            lens.width / 2,
            lens.height / 2,
            lens.width,
            lens.height,
        )
        for index, viewmat in enumerate(viewmats)
    ]


def focus_of(cameras: Sequence[Camera]) -> Array | None:
    """The point ``[3]`` that the cameras look at from around it; None where they look at no one thing.

    It is the point nearest to all optical axes in the sense of least squares.
    """
    positions, forwards = _positions(cameras), _axes(cameras)[:, 2]
    across = np.eye(3) - forwards[:, :, None] * forwards[:, None, :]
    if np.linalg.eigvalsh(across.mean(axis=0))[0] < _AROUND:
        return None
    focus = np.linalg.solve(across.sum(axis=0), np.einsum("nij,nj->i", across, positions))
    cosines = np.einsum("ni,ni->n", _towards(focus, positions), forwards)
    return np.asarray(focus) if np.median(cosines) > np.cos(_OFF_FOCUS) else None


def _towards(focus: Array, positions: Array) -> Array:
    """Unit vectors to the focus ``[N, 3]``; zero where the camera is there."""
    towards = focus - positions
    distances = np.linalg.norm(towards, axis=1, keepdims=True)
    return np.asarray(np.divide(towards, distances, out=np.zeros_like(towards), where=distances > 0))


def _overviews(cameras: Sequence[Camera], focus: Array | None) -> list[Camera]:
    """The cameras without close-ups of the focus."""
    if focus is None:
        return list(cameras)
    distances = np.linalg.norm(_positions(cameras) - focus, axis=1)
    far = distances >= _CLOSE_UP * np.median(distances)
    return [camera for camera, kept in zip(cameras, far, strict=True) if kept]


def _positions(cameras: Sequence[Camera]) -> Array:
    return np.array([camera.position for camera in cameras])


def _reach(positions: Array) -> float:
    """The median distance from the middle of the capture; infinite where all were taken from one spot."""
    reach = float(np.median(np.linalg.norm(positions - positions.mean(axis=0), axis=1)))
    return reach if reach > 1e-9 * np.abs(positions).max() else np.inf


def _axes(cameras: Sequence[Camera]) -> Array:
    """World-to-camera rotations, ``[N, 3, 3]``: their rows are the cameras' x, y and z axes in the world."""
    return np.array([camera.viewmat[:3, :3] for camera in cameras])


def _even(size: float) -> int:
    return max(2, 2 * round(size / 2))


def _stops(cameras: Sequence[Camera]) -> list[Camera]:
    """At most ``_MOST_STOPS`` cameras that stand for all: the middle one of each crowd of similar views."""
    if len(cameras) <= _MOST_STOPS:
        return list(cameras)
    distances = pose_distances(cameras)
    chosen = [int(np.argmin(distances.sum(axis=1)))]
    while len(chosen) < _MOST_STOPS:
        chosen.append(int(np.argmax(distances[:, chosen].min(axis=1))))
    for _ in range(5):  # k-medoids; it hardly ever takes more
        crowds = _crowds(distances[:, chosen])
        chosen = [int(crowd[np.argmin(distances[np.ix_(crowd, crowd)].sum(axis=1))]) for crowd in crowds]
    if len(cameras) >= _CROWD * _MOST_STOPS:
        crowds = _crowds(distances[:, chosen])
        shared = [stop for stop in chosen if any(stop in crowd and len(crowd) > 1 for crowd in crowds)]
        chosen = shared if len(shared) >= _CROWD else chosen
    return [cameras[index] for index in sorted(chosen)]


def _crowds(distances: Array) -> list[NDArray[np.int64]]:
    """The cameras nearest to each stop, given their distances to the stops ``[N, stops]``; none is empty."""
    nearest = np.argmin(distances, axis=1)
    return [np.flatnonzero(nearest == stop) for stop in np.unique(nearest)]


def _tour(stops: Sequence[Camera]) -> list[Camera]:
    """The stops in the order of a short round trip: nearest neighbour, then 2-opt."""
    distances = pose_distances(stops)
    order, left = [0], list(range(1, len(stops)))
    while left:
        nearest = min(left, key=lambda index: distances[order[-1], index])
        left.remove(nearest)
        order.append(nearest)
    improved = True
    while improved:
        improved = False
        for i in range(len(order) - 1):
            for j in range(i + 2, len(order)):
                a, b, c, d = order[i], order[i + 1], order[j], order[(j + 1) % len(order)]
                gain = distances[a, b] + distances[c, d] - distances[a, c] - distances[b, d]
                if d != a and gain > 1e-9:
                    order[i + 1 : j + 1] = reversed(order[i + 1 : j + 1])
                    improved = True
    return [stops[index] for index in order]


def _upright(forwards: Array, downs: Array) -> Array:
    """Rotations ``[N, 3, 3]`` of views in the directions ``forwards`` without roll.

    Those straight up or down all share the heading that most of ``downs``, their own, lie along.
    """
    _, vectors = np.linalg.eigh(downs.T @ downs)
    heading = vectors[:, -1] * np.copysign(1, vectors[:, -1] @ downs[0])
    forwards = forwards / np.linalg.norm(forwards, axis=1, keepdims=True)
    steep = np.linalg.norm(np.cross(forwards, _UP), axis=1, keepdims=True) < _STEEPEST
    return _orthonormal(forwards, np.where(steep, heading, -_UP))


def _orthonormal(forwards: Array, downs: Array) -> Array:
    """World-to-camera rotations ``[N, 3, 3]`` that look along ``forwards``, with ``downs`` at the bottom."""
    forwards = forwards / np.linalg.norm(forwards, axis=1, keepdims=True)
    rights = np.cross(downs, forwards)
    rights /= np.linalg.norm(rights, axis=1, keepdims=True)
    return np.stack([rights, np.cross(forwards, rights), forwards], axis=1)


def _knots(positions: Array, rotations: Array, focus: Array | None) -> tuple[Array, Array]:
    """The stops, and more between those whose views lie far apart, so that the spline finds its way.

    It leads around the focus, where there is one.
    """
    more_positions, more_rotations = [], []
    for index in range(len(positions)):
        start, end = positions[index], positions[(index + 1) % len(positions)]
        turn = Rotation.from_matrix(rotations[(index + 1) % len(positions)] @ rotations[index].T).as_rotvec()
        parts = max(1, int(np.ceil(np.linalg.norm(turn) / _WIDEST_TURN)))
        for part in np.arange(parts) / parts:
            between = (1 - part) * start + part * end
            if focus is not None:
                distances = np.linalg.norm([start - focus, end - focus], axis=1)
                between = focus - _towards(focus, between[None])[0] * (distances @ (1 - part, part))
            more_positions.append(between)
            more_rotations.append(Rotation.from_rotvec(part * turn).as_matrix() @ rotations[index])
    return np.array(more_positions), np.array(more_rotations)


def _through(positions: Array, rotations: Array, frames: int) -> tuple[Array, Array]:
    """``frames`` poses at constant speed on a closed cubic spline through the knots.

    Its parameter is centripetal (Lee 1989: the square root of the distance), which keeps it from swinging out
    where knots lie unevenly.
    """
    middle = positions.mean(axis=0)
    reach = _reach(positions)
    places = (positions - middle) / reach
    poses = np.concatenate([places, rotations[:, 1], rotations[:, 2]], axis=1)
    gaps = np.sqrt(np.linalg.norm(np.roll(poses, -1, axis=0) - poses, axis=1))
    if gaps.sum() < 1e-6:
        return np.tile(positions[0], (frames, 1)), _swaying(rotations[0], frames)
    poses, gaps = poses[gaps > 1e-6], gaps[gaps > 1e-6]
    closed = np.concatenate([poses, poses[:1]])
    spline = CubicSpline(np.r_[0, np.cumsum(gaps)], closed, bc_type="periodic")

    fine = np.linspace(0, spline.x[-1], 64 * len(closed))
    travelled = np.r_[0, np.cumsum(np.linalg.norm(np.diff(spline(fine), axis=0), axis=1))]
    at = np.interp(np.linspace(0, travelled[-1], frames, endpoint=False), travelled, fine)
    path = spline(at)
    places = middle + path[:, :3] * reach if np.isfinite(reach) else np.tile(middle, (frames, 1))
    return places, _orthonormal(path[:, 6:9], path[:, 3:6])


def _swaying(rotation: Array, frames: int) -> Array:
    """A view that goes round in a small circle."""
    turns = np.linspace(0, 2 * np.pi, frames, endpoint=False)
    vectors = _SWAY * np.stack([np.sin(turns), np.cos(turns), np.zeros(frames)], axis=1)
    return np.asarray(Rotation.from_rotvec(vectors).as_matrix() @ rotation)
