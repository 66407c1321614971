"""Points on the surfaces that photos show, found by comparing each photo with its neighbours.

Sparse points are where features were; Gaussians that begin on the surfaces themselves need fewer steps to get
there, and learn fewer things by heart that hold in one photo alone. Three steps: a depth for each pixel of
each small photo by plane sweeping; the depths that other photos agree with; of these, points evenly spread.
Held-out photos, and pixels that a mask ignores, are not looked at.

The same input gives the same points for any number of threads, and with any BLAS: einsum adds up products.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from splatworks_common.cameras import Camera
from splatworks_common.progress import Report, Update, silent
from splatworks_rasterizer import plane_sweep
from splatworks_trainer.colmap import ColmapModel
from splatworks_trainer.views import Photos, View, in_picture, unprojected

SIDE = 320
"""Longest side at which photos are compared. 240 pixels make the scene of 36 photos 0.05 dB worse in
half of the time, 480 no better in three times as much."""

_PLANES = 64
"""Planes from the nearest to the farthest, evenly spaced in inverse depth."""

_NEIGHBOURS = 4
"""Photos that each is compared with."""

_FEWEST_SHARED = 20
"""Sparse points that two photos must share to be compared."""

_BEST_ANGLE, _LESS_ANGLE, _MORE_ANGLE = 10.0, 5.0, 12.0
"""Degrees between the lines of sight at which depth is seen best, and how fast that falls off to either side:
with less, depth is vague; with more, the same thing looks different."""

_LEAST_ANGLE = 1.0
"""Degrees under which the pictures of photos do not differ by depth."""

_NEAREST, _FARTHEST = 0.8, 1.4
"""The planes reach from so much of the depth of the nearest percent of sparse points to so much of that of
the farthest percent."""

_SURE, _LIKELY = 0.5, 0.3
"""Least score of a pixel that becomes a point, and of those in other photos that speak for it."""

_SAME_DEPTH = 0.01
"""Depths are the same if they differ by no more than this share."""

_WITNESSES = 2
"""Other photos that must have the same depth where a point lands in them."""

_GREY = np.array((0.299, 0.587, 0.114), np.float32)
"""Weights of red, green and blue (ITU-R BT.601)."""

_FINEST_CELL = 1.5
"""Points are kept at least about so many of the small photo's pixels apart."""

_CELL_GROWTH = 1.1
"""By how much cells grow, time and again, until few enough points are left."""

_SPARE = 4
"""How many times the points wanted are looked at, so that many photos do not need much memory."""


@dataclass(frozen=True)
class _Depth:
    """The depths of a small photo.

    Attributes:
        view: The photo.
        neighbours: The photos it was compared with, by their place among those that train.
        depth: Along the optical axis, ``[H, W]`` world units.
        score: How well the neighbours agree, ``[H, W]``.
    """

    view: View
    neighbours: tuple[int, ...]
    depth: NDArray[np.float32]
    score: NDArray[np.float32]


def dense_points(
    model: ColmapModel, photos: Photos, *, limit: int, threads: int, report: Report = silent
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Points on the surfaces in the photos that train.

    Args:
        model: The cameras, and the sparse points by which neighbours and depths are chosen.
        photos: The photos.
        limit: How many points at most.
        threads: CPU threads to use.
        report: Told how many photos have been compared.

    Returns:
        Points ``[P, 3]`` in world units and their colours ``[P, 3]``; none where photos share too little.
    """
    views = [_small(photos, index) for index in photos.training]
    shared = _Shared(model, photos)
    with ThreadPoolExecutor(threads) as pool:
        depths = []
        for depth in pool.map(lambda place: _swept(place, views, shared), range(len(views))):
            depths.append(depth)
            report(Update("start", len(depths), len(views), "Finding surfaces", unit="photos"))
        most = max(1, _SPARE * limit // max(1, len(views)))
        found = list(pool.map(lambda place: _agreed(place, depths, most), range(len(views))))
    if not found:
        return np.zeros((0, 3)), np.zeros((0, 3), np.uint8)
    points, colors, footprints = (np.concatenate(parts) for parts in zip(*found, strict=True))
    chosen = _evenly_spread(points, footprints, limit)
    return points[chosen], colors[chosen]


def _small(photos: Photos, index: int) -> View:
    full = photos.cameras[index]
    return photos.at(index, min(1.0, SIDE / max(full.width, full.height)))


class _Shared:
    """Which sparse points each photo that trains shows, and which photos make good neighbours."""

    def __init__(self, model: ColmapModel, photos: Photos) -> None:
        point, photo = model.observations.T
        place = np.full(len(photos), -1)
        place[list(photos.training)] = range(len(photos.training))
        trains = place[photo] >= 0
        shape = (len(photos.training), len(model.points))
        ones = np.ones(np.count_nonzero(trains), np.float32)
        self._shows = csr_array((ones, (place[photo[trains]], point[trains])), shape)
        self._together = (self._shows @ self._shows.T).toarray()
        self._points = model.points
        self._positions = np.array([photos.cameras[index].position for index in photos.training])

    def points(self, place: int) -> NDArray[np.float64]:
        """The sparse points that a photo shows, ``[V, 3]``."""
        return self._points[self._indices(place)]

    def neighbours(self, place: int) -> tuple[int, ...]:
        """The photos to compare a photo with, the best first."""
        counts = self._together[place].copy()
        counts[place] = 0
        nearest = np.argsort(-counts, kind="stable")[: 4 * _NEIGHBOURS]
        angles = {
            int(other): self._angle(place, other) for other in nearest if counts[other] >= _FEWEST_SHARED
        }
        worth = {
            other: counts[other] * _clarity(angle) for other, angle in angles.items() if angle >= _LEAST_ANGLE
        }
        return tuple(sorted(worth, key=lambda other: -worth[other])[:_NEIGHBOURS])

    def _indices(self, place: int) -> NDArray[np.intp]:
        first, end = self._shows.indptr[place : place + 2]
        return np.asarray(self._shows.indices[first:end])

    def _angle(self, a: int, b: int) -> float:
        """The median angle between two photos' lines of sight to what both show, degrees."""
        points = self._points[np.intersect1d(self._indices(a), self._indices(b))]
        one, other = points - self._positions[a], points - self._positions[b]
        cosines = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
        return float(np.degrees(np.arccos(np.clip(np.nanmedian(cosines), -1, 1))))


def _clarity(angle: float) -> float:
    """How well depth is seen at an angle between lines of sight, 0 to 1."""
    spread = _LESS_ANGLE if angle < _BEST_ANGLE else _MORE_ANGLE
    return float(np.exp(-(((angle - _BEST_ANGLE) / spread) ** 2) / 2))


def _swept(place: int, views: Sequence[View], shared: _Shared) -> _Depth:
    view, neighbours = views[place], shared.neighbours(place)
    shape = view.photo.shape[:2]
    _, depths, _ = in_picture(shared.points(place), view.camera)
    if not neighbours or len(depths) == 0:
        return _Depth(view, (), np.zeros(shape, np.float32), np.full(shape, -1, np.float32))
    near, far = np.percentile(depths, (1, 99)) * (_NEAREST, _FARTHEST)
    inverse = np.linspace(1 / far, 1 / near, _PLANES)
    homographies = np.stack(
        [_homographies(view.camera, views[other].camera, inverse) for other in neighbours], axis=1
    )
    sweep = plane_sweep(_grey(view), [_grey(views[other]) for other in neighbours], homographies)
    depth = 1 / (inverse[0] + sweep.planes * np.float32(inverse[1] - inverse[0]))
    # What fits best on the first or the last plane may lie beyond it.
    inside = (sweep.planes > 0) & (sweep.planes < _PLANES - 1)
    return _Depth(view, neighbours, depth.astype(np.float32), np.where(inside, sweep.scores, np.float32(-1)))


def _homographies(camera: Camera, other: Camera, inverse_depths: NDArray[np.float64]) -> NDArray[np.float64]:
    """From pixels of ``camera`` to those of ``other``, by way of planes across its axis, ``[P, 3, 3]``."""
    turn = np.einsum("ij,kj->ik", other.viewmat[:3, :3], camera.viewmat[:3, :3])
    shift = other.viewmat[:3, 3] - np.einsum("ij,j->i", turn, camera.viewmat[:3, 3])
    planes = np.zeros((len(inverse_depths), 3, 3)) + turn
    planes[:, :, 2] += inverse_depths[:, None] * shift
    there, back = _intrinsics(other), np.linalg.inv(_intrinsics(camera))
    return np.asarray(np.einsum("ij,pjk,kl->pil", there, planes, back))


def _intrinsics(camera: Camera) -> NDArray[np.float64]:
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])


def _grey(view: View) -> NDArray[np.float32]:
    grey = np.einsum("ijk,k->ij", view.photo, _GREY)
    return grey if view.mask is None else np.where(view.mask, grey, np.float32(np.nan))


def _agreed(
    place: int, depths: Sequence[_Depth], most: int
) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.float64]]:
    """At most ``most`` points of a photo that others agree with, their colours, and a pixel's size there."""
    own = depths[place]
    row, column = np.nonzero(own.score > _SURE)
    depth = own.depth[row, column].astype(np.float64)
    pixels = np.stack([column, row], axis=1).astype(np.float64) + 0.5
    points = unprojected(pixels, depth, own.view.camera)
    witnesses = np.zeros(len(points), int)
    for other_place in _related(place, depths):
        other = depths[other_place]
        pixels, there, seen = in_picture(points, other.view.camera)
        column_there, row_there = pixels.astype(int).T
        same = np.abs(other.depth[row_there, column_there] - there) < _SAME_DEPTH * there
        witnesses[seen] += same & (other.score[row_there, column_there] > _LIKELY)
    agreed = np.flatnonzero(witnesses >= _WITNESSES)
    kept = agreed[:: -(-len(agreed) // most) or 1]
    return points[kept], own.view.photo[row, column][kept], depth[kept] / own.view.camera.fx


def _related(place: int, depths: Sequence[_Depth]) -> Iterator[int]:
    """The photos that were compared with this one, or this one with them."""
    for other, depth in enumerate(depths):
        if other in depths[place].neighbours or place in depth.neighbours:
            yield other


def _evenly_spread(
    points: NDArray[np.float64], footprints: NDArray[np.float64], limit: int
) -> NDArray[np.intp]:
    """At most ``limit`` of the points: one in each cell of a grid whose cells grow until so few are left."""
    if len(points) == 0 or limit < 1:
        return np.zeros(0, np.intp)
    cell = _FINEST_CELL * float(np.median(footprints))
    chosen = _one_of_each_cell(points, cell)
    while len(chosen) > limit:
        cell *= _CELL_GROWTH
        chosen = _one_of_each_cell(points, cell)
    return chosen


def _one_of_each_cell(points: NDArray[np.float64], cell: float) -> NDArray[np.intp]:
    """The first point in each cell of a grid, in their order."""
    key = np.floor((points - points.min(axis=0)) / cell).astype(np.int64)
    size = key.max(axis=0) + 1
    flat = (key[:, 0] * size[1] + key[:, 1]) * size[2] + key[:, 2]
    return np.sort(np.unique(flat, return_index=True)[1])
