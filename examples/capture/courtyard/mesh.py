"""Mesh batches in numpy and their hand-over to Blender.

Every vertex carries two attributes beside its position, which all materials read: ``local``, its place in its
own element (x along the grain, metres, shifted at random from element to element, so that no two look alike),
and ``tint``, the element's linear base colour. Faces are quads throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Mesh:
    """A quad mesh.

    Attributes:
        vertices: ``[V, 3]`` metres.
        faces: ``[F, 4]`` indices into ``vertices``.
        local: ``[V, 3]`` texture coordinates in metres.
        tint: ``[V, 3]`` linear RGB.
        uv: ``[V, 2]`` image coordinates, zero where no image is used.
    """

    vertices: Floats
    faces: Ints
    local: Floats
    tint: Floats
    uv: Floats

    def moved(self, offset: ArrayLike = (0, 0, 0), rotation: Floats | None = None) -> Mesh:
        """The mesh rotated about the origin, then shifted."""
        turned = self.vertices if rotation is None else self.vertices @ rotation.T
        return replace(self, vertices=turned + np.asarray(offset, float))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of many."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]),
        np.concatenate([mesh.local for mesh in meshes]),
        np.concatenate([mesh.tint for mesh in meshes]),
        np.concatenate([mesh.uv for mesh in meshes]),
    )


def turn(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Floats:
    """The rotation about x, then y, then z, in degrees, ``[3, 3]``."""
    return turns(np.radians([[x, y, z]]))[0]


def turns(angles: Floats) -> Floats:
    """Rotations about x, then y, then z: radians ``[N, 3]`` to matrices ``[N, 3, 3]``."""
    result = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        step = np.broadcast_to(np.eye(3), result.shape).copy()
        cosine, sine = np.cos(angles[:, axis]), np.sin(angles[:, axis])
        step[:, a, a], step[:, a, b], step[:, b, a], step[:, b, b] = cosine, -sine, sine, cosine
        result = step @ result
    return result


def mixed(
    rng: np.random.Generator, count: int, colours: Sequence[Sequence[float]], spread: float = 0.15
) -> Floats:
    """``count`` tints ``[count, 3]``: blends of two of ``colours``, each lighter or darker by ``spread``."""
    palette = np.asarray(colours, float)
    share = rng.uniform(0, 1, (count, 1)) ** 2
    first, second = palette[rng.integers(len(palette), size=(2, count))]
    return (first * (1 - share) + second * share) * np.exp(rng.normal(scale=spread, size=(count, 1)))


def bumps(points: Floats, wavelength: float, octaves: int = 3) -> Floats:
    """Smooth noise in about -1..1 at ``points`` ``[..., 3]``: a sum of plane waves in random directions."""
    rng = np.random.default_rng(7)
    total = np.zeros(points.shape[:-1])
    for octave in range(octaves):
        waves = rng.normal(size=(7, 3))
        waves *= rng.uniform(0.7, 1.4, (7, 1)) * 2**octave / np.linalg.norm(waves, axis=1, keepdims=True)
        phases = points @ (waves.T * 2 * np.pi / wavelength) + rng.uniform(0, 2 * np.pi, 7)
        total += np.sin(phases).sum(-1) / (4 * 1.7**octave)
    return total


def blocks(
    rng: np.random.Generator,
    centres: ArrayLike,
    halves: ArrayLike,
    tints: ArrayLike,
    rotations: Floats | None = None,
    *,
    bevel: float = 0.004,
    rough: float = 0.0,
    wavelength: float = 0.12,
    interior: int = 3,
) -> Mesh:
    """Boxes with rounded edges and, where ``rough`` > 0, an uneven surface.

    Args:
        rng: Source of each block's texture shift.
        centres: ``[N, 3]`` metres.
        halves: ``[N, 3]`` half the size along each of the block's own axes.
        tints: ``[N, 3]`` or ``[3]`` linear RGB.
        rotations: ``[N, 3, 3]``, identity where None.
        bevel: Radius of the edges in metres.
        rough: Amplitude of the surface's unevenness in metres.
        wavelength: Size of the largest unevenness in metres.
        interior: Grid lines across a face between its two bevels.
    """
    centres, halves = np.atleast_2d(np.asarray(centres, float)), np.atleast_2d(np.asarray(halves, float))
    count = len(centres)
    halves = np.broadcast_to(halves, (count, 3))
    template, faces = _cube(interior)
    edge = np.abs(template) == 2.0
    inner_half = np.maximum(halves - bevel, 0.2 * halves)[:, None, :]
    inner = np.clip(template, -1.0, 1.0)[None] * inner_half
    outward = np.where(edge, np.sign(template), 0.0)
    outward = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    points = inner + outward[None] * (halves[:, None, :] - inner_half)
    local = points + rng.uniform(-20, 20, (count, 1, 3))
    if rough:
        points = points + outward[None] * (rough * bumps(local, wavelength))[..., None]
    if rotations is not None:
        points = np.einsum("nij,nvj->nvi", rotations, points)
    points = points + centres[:, None, :]
    return _batch(points, faces, local, tints)


@cache
def _cube(interior: int) -> tuple[Floats, Ints]:
    """A cube's surface grid, ``[V, 3]`` and ``[F, 4]``: -1..1 between the bevels, -2 and 2 on the faces."""
    levels = np.concatenate([[-2.0], np.linspace(-1, 1, interior), [2.0]])
    side = len(levels)
    index = np.arange(side * side).reshape(side, side)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    points, faces = [], []
    for axis in range(3):
        for sign in (-2.0, 2.0):
            grid = np.empty((side, side, 3))
            grid[..., axis] = sign
            grid[..., (axis + 1) % 3] = levels[:, None]
            grid[..., (axis + 2) % 3] = levels[None, :]
            faces.append((quads if sign > 0 else quads[:, ::-1]) + len(points) * side * side)
            points.append(grid.reshape(-1, 3))
    unique, inverse = np.unique(np.concatenate(points), axis=0, return_inverse=True)
    return unique, inverse.reshape(-1)[np.concatenate(faces)]


def grid(points: Floats, uv: Floats, tint: ArrayLike, *, closed: bool = False) -> Mesh:
    """A sheet through ``points`` ``[R, C, 3]`` with ``uv`` ``[R, C, 2]``.

    ``closed`` joins the last column to the first.
    """
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1) if closed else index[:, 1:]
    left = index if closed else index[:, :-1]
    faces = np.stack([left[:-1], right[:-1], right[1:], left[1:]], -1).reshape(-1, 4)
    flat = points.reshape(-1, 3)
    return Mesh(
        flat, faces, flat.copy(), np.broadcast_to(np.asarray(tint, float), flat.shape), uv.reshape(-1, 2)
    )


def lathe(profile: ArrayLike, tint: ArrayLike, segments: int = 72) -> Mesh:
    """A body of revolution about z.

    ``profile`` ``[P, 2]`` lists (radius, height) in metres, upwards along the outside, then down the inside.
    """
    profile = np.asarray(profile, float)
    dense = np.linspace(0, len(profile) - 1, 6 * (len(profile) - 1) + 1)
    radius, height = (_smooth(dense, profile[:, i]) for i in range(2))
    # The last column repeats the first, so that an image wraps without a seam running backwards.
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    points = np.stack(
        [
            radius[:, None] * np.cos(angle),
            radius[:, None] * np.sin(angle),
            np.broadcast_to(height[:, None], (len(dense), segments + 1)),
        ],
        -1,
    )
    uv = np.stack(np.broadcast_arrays(angle[None] / (2 * np.pi), (dense / dense[-1])[:, None]), -1)
    return grid(points, uv, tint)


def _smooth(at: Floats, values: Floats) -> Floats:
    """A Catmull-Rom curve through ``values`` at 0, 1, 2, ..."""
    padded = np.concatenate([[values[0]], values, [values[-1]]])
    start = np.minimum(at.astype(int), len(values) - 2)
    t = at - start
    a, b, c, d = (padded[start + i] for i in range(4))
    return np.asarray(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))


def tube(path: ArrayLike, radius: ArrayLike, tint: ArrayLike, sides: int = 12) -> Mesh:
    """A round bar along ``path`` ``[P, 3]``; ``radius`` is one number or one per point.

    ``local`` x runs along it.
    """
    path = np.asarray(path, float)
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, [0.31, 0.17, 0.94] if abs(along[:, 2]).mean() < 0.8 else [0.95, 0.21, 0.2])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(across, along)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[None, :, None] * across[:, None] + np.sin(angle)[None, :, None] * up[:, None]
    radii = np.broadcast_to(np.asarray(radius, float), len(path))
    mesh = grid(
        path[:, None] + radii[:, None, None] * ring, np.zeros((len(path), sides, 2)), tint, closed=True
    )
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    local = np.stack(
        np.broadcast_arrays(
            length[:, None], (radii[:, None] * np.cos(angle)), (radii[:, None] * np.sin(angle))
        ),
        -1,
    )
    return replace(mesh, local=local.reshape(-1, 3) + path[0] * 3.7)


POINTED = (0.04, 0.62, 1.0, 0.86, 0.5, 0.03)
"""Half-widths of a plain leaf from stalk to tip, of its full half-width."""
LOBED = (0.1, 0.95, 0.8, 1.0, 0.42, 0.03)
"""Half-widths of an ivy leaf."""
PETAL = (0.15, 0.5, 0.85, 1.0, 0.95, 0.5)
"""Half-widths of a petal."""


def leaves(
    rng: np.random.Generator,
    centres: Floats,
    directions: Floats,
    lengths: Floats,
    tints: Floats,
    *,
    outline: Sequence[float] = POINTED,
    width: float = 0.55,
    facing: Floats | None = None,
) -> Mesh:
    """Curved leaves that start at ``centres`` and grow along ``directions``.

    Args:
        rng: Source of curl and roll.
        centres: ``[N, 3]`` where the stalks end.
        directions: ``[N, 3]`` from stalk to tip, any length.
        lengths: ``[N]`` metres.
        tints: ``[N, 3]`` linear RGB.
        outline: Half-widths from stalk to tip.
        width: Width to length.
        facing: ``[N, 3]`` the upper side's rough direction, straight up where None.
    """
    count, steps = len(centres), len(outline)
    t = np.linspace(0, 1, steps)
    side = np.linspace(-1, 1, 5)
    half = 0.5 * width * np.asarray(outline)
    curl = rng.uniform(0.05, 0.45, (count, 1, 1))
    fold = rng.uniform(0.05, 0.35, (count, 1, 1))
    x = np.broadcast_to(t[None, :, None], (count, steps, 5))
    y = np.broadcast_to(half[None, :, None] * side, (count, steps, 5))
    z = fold * np.abs(y) - curl * x**2 + 0.04 * np.sin(9 * x + 5 * y + rng.uniform(0, 6, (count, 1, 1)))
    forward = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    hint = np.broadcast_to([0.0, 0, 1], centres.shape) if facing is None else facing
    hint = hint + rng.normal(scale=0.25, size=centres.shape)
    across = np.cross(hint, forward)
    across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-9
    above = np.cross(forward, across)
    frame = np.stack([forward, across, above], axis=2)
    points = np.stack([x, y, z], -1).reshape(count, -1, 3) * lengths[:, None, None]
    local = points + rng.uniform(-20, 20, (count, 1, 3))
    points = np.einsum("nij,nvj->nvi", frame, points) + centres[:, None]
    index = np.arange(steps * 5).reshape(steps, 5)
    faces = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    return _batch(points, faces, local, tints)


def balls(
    rng: np.random.Generator,
    centres: ArrayLike,
    radii: ArrayLike,
    tints: ArrayLike,
    *,
    stretch: ArrayLike = (1.0, 1.0, 1.0),
    rough: float = 0.0,
    wavelength: float = 1.2,
    interior: int = 9,
) -> Mesh:
    """Stones and fruit: spheres stretched along their axes, turned at random, uneven by ``rough`` radii."""
    centres = np.atleast_2d(np.asarray(centres, float))
    count = len(centres)
    template, faces = _cube(interior)
    even = np.where(np.abs(template) == 2.0, np.sign(template), template * (interior - 1) / (interior + 1))
    unit = np.tan(even * np.pi / 4)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    shift = rng.uniform(-20, 20, (count, 1, 3))
    swell = 1 + rough * bumps(unit[None] + shift, wavelength)
    radii = np.broadcast_to(np.asarray(radii, float), count)
    points = unit[None] * swell[..., None] * np.asarray(stretch) * radii[:, None, None]
    local = points + shift
    points = np.einsum("nij,nvj->nvi", turns(rng.uniform(-3, 3, (count, 3))), points) + centres[:, None]
    return _batch(points, faces, local, tints)


def _batch(points: Floats, faces: Ints, local: Floats, tints: ArrayLike) -> Mesh:
    """Copies of one template, ``points`` and ``local`` ``[N, V, 3]``, as one mesh."""
    count, size = points.shape[:2]
    every = (faces[None] + np.arange(count)[:, None, None] * size).reshape(-1, 4)
    tint = np.repeat(np.broadcast_to(np.asarray(tints, float), (count, 3)), size, axis=0)
    return Mesh(points.reshape(-1, 3), every, local.reshape(-1, 3), tint, np.zeros((count * size, 2)))


def to_blender(name: str, mesh: Mesh, material: bpy.types.Material) -> None:
    """Adds ``mesh`` to the scene, smooth shaded."""
    data = bpy.data.meshes.new(name)
    data.vertices.add(len(mesh.vertices))
    data.vertices.foreach_set("co", mesh.vertices.astype(np.float32).ravel())
    data.loops.add(mesh.faces.size)
    data.loops.foreach_set("vertex_index", mesh.faces.astype(np.int32).ravel())
    data.polygons.add(len(mesh.faces))
    data.polygons.foreach_set("loop_start", np.arange(0, mesh.faces.size, 4, dtype=np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(len(mesh.faces), bool))
    for attribute, values in (("local", mesh.local), ("tint", mesh.tint)):
        layer = data.attributes.new(attribute, "FLOAT_VECTOR", "POINT")
        layer.data.foreach_set("vector", values.astype(np.float32).ravel())
    data.uv_layers.new(name="uv").data.foreach_set(
        "uv", mesh.uv[mesh.faces.ravel()].astype(np.float32).ravel()
    )
    data.materials.append(material)
    data.validate()
    data.update()
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, data))
