"""The subject: a weathered table laid under a printed cloth, a chair drawn up, and what stands on them."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np

from courtyard.materials import Stain, surface
from courtyard.mesh import (
    PETAL,
    Floats,
    Mesh,
    balls,
    blocks,
    bumps,
    grid,
    join,
    lathe,
    leaves,
    mixed,
    to_blender,
    tube,
    turn,
)
from courtyard.paintings import glaze, printed_cloth

TABLE_TURN = 14.0
"""Degrees the table stands askew to the walls."""
TOP = 0.75
"""Height of the table's top, metres."""
LENGTH, WIDTH = 1.5, 0.82
"""The table's top, metres."""


def build(rng: np.random.Generator) -> None:
    """Adds the table, the chair and the things on them to the scene."""
    _table(rng)
    _cloth(rng)
    _jug(rng)
    _fruit_bowl(rng)
    _geranium(rng)
    _bread(rng)
    _books(rng)
    _cup(rng)
    _chair(rng)
    _basket(rng)


def _place(
    name: str, mesh: Mesh, material: bpy.types.Material, x: float = 0.0, y: float = 0.0, z: float = 0.0
) -> None:
    """Sets a mesh on the table: ``x`` along it, ``y`` across it, ``z`` above its top."""
    rotation = turn(z=TABLE_TURN)
    to_blender(name, mesh.moved((x, y, TOP + z)).moved(rotation=rotation), material)


def _old_wood(name: str, pale: bool = False) -> bpy.types.Material:
    grey = Stain((0.40, 0.37, 0.33) if pale else (0.25, 0.22, 0.19), 0.25, 0.4, 0.6)
    dark = Stain((0.10, 0.07, 0.05), 0.12, 0.2, 0.6)
    return surface(
        name, stretch=11, grains=((0.011, 0.45), (0.06, 0.3)), stains=(grey, dark), bump=0.004, roughness=0.75
    )


def _table(rng: np.random.Generator) -> None:
    edges = np.linspace(-WIDTH / 2, WIDTH / 2, 7)
    centres = np.stack(
        [rng.normal(scale=0.004, size=6), (edges[:-1] + edges[1:]) / 2, np.full(6, -0.016)], -1
    )
    tints = mixed(rng, 6, ((0.33, 0.21, 0.12), (0.27, 0.165, 0.095), (0.38, 0.26, 0.16)), 0.1)
    parts = [
        blocks(rng, centres, [LENGTH / 2, WIDTH / 12 - 0.003, 0.016], tints, rough=0.0015, interior=14),
        blocks(
            rng,
            [[0, y, -0.085] for y in (-0.31, 0.31)],
            [0.62, 0.012, 0.045],
            (0.25, 0.155, 0.09),
            interior=8,
        ),
        blocks(
            rng,
            [[x, 0, -0.085] for x in (-0.62, 0.62)],
            [0.3, 0.012, 0.045],
            (0.25, 0.155, 0.09),
            turns_z(90, 2),
        ),
        blocks(
            rng,
            [[x, y, -0.39] for x in (-0.62, 0.62) for y in (-0.31, 0.31)],
            [0.36, 0.032, 0.032],
            (0.26, 0.16, 0.09),
            np.broadcast_to(turn(y=90), (4, 3, 3)),
            rough=0.002,
            interior=9,
        ),
        blocks(
            rng,
            [[x, 0, -0.58] for x in (-0.62, 0.62)],
            [0.3, 0.02, 0.025],
            (0.24, 0.15, 0.085),
            turns_z(90, 2),
        ),
        blocks(rng, [[0, 0, -0.575]], [0.62, 0.02, 0.025], (0.25, 0.16, 0.09), interior=8),
    ]
    _place("table", join(parts), _old_wood("table wood"))


def turns_z(degrees: float, count: int) -> Floats:
    """``count`` equal rotations about z, ``[count, 3, 3]``."""
    return np.broadcast_to(turn(z=degrees), (count, 3, 3))


def _cloth(rng: np.random.Generator) -> None:
    """A runner across the table that hangs down on both sides, a little crumpled."""
    half, drop = 0.24, 0.27
    along = np.linspace(-WIDTH / 2 - drop, WIDTH / 2 + drop, 260)
    across = np.linspace(-half, half, 90)
    s, x = np.meshgrid(along, across, indexing="ij")
    over = np.abs(s) - WIDTH / 2 - 0.006
    hanging = np.clip(over / 0.02, 0, 1)
    y = np.sign(s) * (np.minimum(np.abs(s), WIDTH / 2 + 0.006) + 0.012 * hanging)
    z = 0.003 - np.maximum(over, 0)
    flat = np.stack([x, s, np.zeros_like(s)], -1)
    folds = np.clip(bumps(flat * (1, 0.35, 1) + 1.3, 0.30, 3), 0, 1)
    z = z + 0.010 * folds * (1 - hanging)
    y = y + np.sign(s) * hanging * (
        0.018 * np.sin(x * 26 + 3 * np.sign(s)) * np.clip(over / drop, 0, 1) + 0.012
    )
    x = x + 0.012 * bumps(flat[..., [1, 0, 2]], 0.5, 2) + 0.13 * s
    uv = np.stack(np.broadcast_arrays((s - along[0]) / np.ptp(along), (flat[..., 0] + half) / (2 * half)), -1)
    cotton = surface(
        "cloth", image=printed_cloth(rng), grains=((0.1, 0.12),), bump=0.001, bump_size=0.004, roughness=0.95
    )
    _place("cloth", grid(np.stack([x, y, z], -1), uv, (1, 1, 1)), cotton, x=-0.12)


def _jug(rng: np.random.Generator) -> None:
    profile = [
        (0.001, 0), (0.055, 0), (0.062, 0.012), (0.088, 0.07), (0.098, 0.125), (0.086, 0.18), (0.058, 0.225),
        (0.05, 0.255), (0.058, 0.285), (0.066, 0.295), (0.060, 0.293), (0.045, 0.25), (0.05, 0.2),
        (0.03, 0.15), (0.001, 0.14),
    ]  # fmt: skip
    body = lathe(profile, (1, 1, 1))
    # A lip: the rim is drawn out on one side.
    high = np.clip((body.vertices[:, 2] - 0.24) / 0.05, 0, 1)
    radius = np.linalg.norm(body.vertices[:, :2], axis=1, keepdims=True)
    towards = np.clip(body.vertices[:, :1] / np.maximum(radius, 1e-6), 0, 1) ** 6
    body = replace(body, vertices=body.vertices + high[:, None] * towards * np.array([0.03, 0, 0.012]))
    angle = np.linspace(-1.35, 1.5, 24)
    path = np.stack([-0.075 - 0.075 * np.cos(angle), 0 * angle, 0.175 + 0.088 * np.sin(angle)], -1)
    handle = tube(path, np.linspace(0.011, 0.013, 24), (1, 1, 1))
    handle = replace(handle, uv=handle.local[:, :2] * 3)
    painted = surface("jug", image=glaze(rng), grains=((0.05, 0.1),), bump=0.0008, roughness=0.42)
    _place("jug", join([body, handle]).moved(rotation=turn(z=40)), painted, -0.30, 0.10, 0.008)


def _fruit_bowl(rng: np.random.Generator) -> None:
    profile = [
        (0.001, 0), (0.06, 0), (0.064, 0.016), (0.11, 0.04), (0.15, 0.085), (0.162, 0.105), (0.155, 0.106),
        (0.12, 0.062), (0.06, 0.032), (0.001, 0.028),
    ]  # fmt: skip
    painted = surface(
        "bowl", image=glaze(rng, ink=(0.20, 0.34, 0.22)), grains=((0.05, 0.1),), bump=0.0008, roughness=0.42
    )
    _place("bowl", lathe(profile, (1, 1, 1)), painted, 0.02, -0.12, 0.006)
    angle = np.linspace(0, 2 * np.pi, 7)[:-1] + 0.3
    ring = np.stack([0.082 * np.cos(angle), 0.082 * np.sin(angle), np.full(6, 0.088)], -1)
    apples = ring[:3] + rng.normal(scale=0.004, size=(3, 3))
    lemons = np.concatenate([ring[3:], [[0.005, 0.0, 0.125]]]) + rng.normal(scale=0.004, size=(4, 3))
    red = balls(
        rng,
        apples,
        [0.041, 0.038, 0.042],
        ((0.42, 0.06, 0.035), (0.45, 0.16, 0.05), (0.38, 0.30, 0.07)),
        rough=0.04,
    )
    blush = Stain((0.50, 0.36, 0.08), 0.05, 0.4, 0.7)
    peel = surface("apples", grains=((0.008, 0.2), (0.03, 0.25)), stains=(blush,), bump=0.0006, roughness=0.5)
    _place("apples", red, peel, 0.02, -0.12, 0.006)
    yellow = balls(
        rng, lemons, [0.033, 0.031, 0.034, 0.033], (0.66, 0.44, 0.05), stretch=(1.3, 1, 1), rough=0.04
    )
    green = Stain((0.36, 0.38, 0.05), 0.05, 0.35, 0.6)
    rind = surface(
        "lemons",
        grains=((0.006, 0.15), (0.03, 0.15)),
        stains=(green,),
        bump=0.002,
        bump_size=0.004,
        roughness=0.5,
    )
    _place("lemons", yellow, rind, 0.02, -0.12, 0.006)


def pot(radius: float, height: float, tint: tuple[float, float, float]) -> Mesh:
    """A flower pot with a rim, filled with soil to below its edge."""
    profile = np.array([
        (0.001, 0), (0.66, 0), (0.70, 0.02), (0.90, 0.74), (0.91, 0.78), (1.0, 0.79), (1.02, 0.97),
        (0.97, 1.0), (0.90, 0.97), (0.87, 0.86), (0.5, 0.87), (0.001, 0.90),
    ])  # fmt: skip
    body = lathe(profile * (radius, height), tint)
    inside = (body.vertices[:, 2] > 0.8 * height) & (
        np.linalg.norm(body.vertices[:, :2], axis=1) < 0.86 * radius
    )
    uneven = 0.006 * bumps(body.vertices, 0.05) * inside
    return replace(
        body,
        tint=np.where(inside[:, None], (0.06, 0.045, 0.03), body.tint),
        vertices=body.vertices + uneven[:, None] * (0, 0, 1),
    )


def terracotta(name: str) -> bpy.types.Material:
    """Old clay with lime and a little green."""
    lime = Stain((0.52, 0.42, 0.34), 0.09, 0.38, 0.7)
    return surface(
        name,
        grains=((0.01, 0.25), (0.06, 0.25)),
        stains=(lime, Stain((0.14, 0.13, 0.06), 0.1, 0.25, 0.6)),
        bump=0.002,
        bump_size=0.01,
    )


def foliage(
    rng: np.random.Generator,
    count: int,
    spread: tuple[float, float, float],
    length: tuple[float, float],
    palette: tuple[tuple[float, float, float], ...],
    width: float = 0.6,
) -> Mesh:
    """A bush: leaves all over a half ellipsoid of the given half axes, which stands on the origin."""
    direction = rng.normal(size=(count, 3))
    direction[:, 2] = np.abs(direction[:, 2]) * 1.1 - 0.15
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    depth = rng.uniform(0.55, 1.0, (count, 1))
    lumps = 1 + 0.18 * bumps(direction, 1.3, 2)[:, None]
    outwards = direction + rng.normal(scale=0.45, size=(count, 3))
    tints = mixed(rng, count, palette, 0.15) * (0.55 + 0.45 * depth)
    return leaves(
        rng, direction * spread * depth * lumps, outwards, rng.uniform(*length, count), tints, width=width
    )


def blossoms(
    rng: np.random.Generator, centres: Floats, size: float, palette: tuple[tuple[float, float, float], ...]
) -> Mesh:
    """Flower heads of a dozen petals each at ``centres`` ``[N, 3]``."""
    petals = 12
    where = np.repeat(centres, petals, axis=0)
    direction = rng.normal(size=where.shape) + np.array([0, 0, 0.7])
    tints = np.repeat(mixed(rng, len(centres), palette, 0.12), petals, axis=0) * rng.uniform(
        0.8, 1.15, (len(where), 1)
    )
    return leaves(rng, where, direction, np.full(len(where), size), tints, outline=PETAL, width=0.75)


def _geranium(rng: np.random.Generator) -> None:
    x, y = 0.47, 0.12
    _place("pot", pot(0.115, 0.19, (0.46, 0.20, 0.11)), terracotta("pot clay"), x, y)
    palette = ((0.09, 0.17, 0.04), (0.13, 0.22, 0.06), (0.07, 0.13, 0.04), (0.20, 0.24, 0.07))
    bush = foliage(rng, 190, (0.17, 0.17, 0.20), (0.055, 0.09), palette, width=0.95)
    leaf = surface("geranium leaves", grains=((0.015, 0.3),), bump=0.001, roughness=0.65, translucent=0.2)
    _place("geranium", bush, leaf, x, y, 0.18)
    count = 11
    heads = rng.normal(size=(count, 3))
    heads[:, 2] = np.abs(heads[:, 2]) + 0.5
    heads *= (0.185, 0.185, 0.25) / np.linalg.norm(heads, axis=1, keepdims=True)
    red = blossoms(rng, heads, 0.034, ((0.55, 0.05, 0.06), (0.60, 0.12, 0.10), (0.50, 0.04, 0.10)))
    _place(
        "geranium heads", red, surface("petals", grains=((0.01, 0.2),), bump=0, translucent=0.25), x, y, 0.18
    )
    stubs = rng.normal(scale=(0.08, 0.08, 0.03), size=(14, 3)) + np.array([0, 0, 0.1])
    stalks = [
        tube(
            np.linspace((0, 0, -0.02), tip, 8) + np.outer(np.sin(np.linspace(0, np.pi, 8)), (0.01, -0.01, 0)),
            0.0035,
            (0.13, 0.15, 0.05),
            6,
        )
        for tip in np.concatenate([heads, stubs])
    ]
    _place("geranium stalks", join(stalks), leaf, x, y, 0.18)


def _bread(rng: np.random.Generator) -> None:
    board = blocks(
        rng,
        [[0, 0, 0.01]],
        [[0.19, 0.12, 0.01]],
        (0.45, 0.30, 0.17),
        turns_z(-12, 1),
        bevel=0.006,
        interior=8,
    )
    _place("board", board, _old_wood("board wood"), -0.58, -0.16)
    loaf = balls(rng, [[0, 0, 0]], 0.1, (0.42, 0.22, 0.085), rough=0.05, wavelength=1.0, interior=40)
    flat = loaf.local - loaf.local.mean(0)
    shaped = flat * (1.35, 0.78, 0.62)
    # Four slashes across the crust.
    for cut in (-0.075, -0.025, 0.025, 0.075):
        near = np.exp(-(((shaped[:, 0] - cut - 0.35 * shaped[:, 1]) / 0.008) ** 2)) * (shaped[:, 2] > 0.02)
        shaped[:, 2] -= 0.010 * near
    flour = Stain((0.62, 0.48, 0.32), 0.05, 0.4, 0.75)
    crust = surface(
        "crust",
        grains=((0.01, 0.35), (0.05, 0.35)),
        stains=(flour, Stain((0.2, 0.08, 0.03), 0.07, 0.3, 0.6)),
        bump=0.004,
    )
    loaf = replace(loaf, vertices=shaped).moved(rotation=turn(z=-20))
    _place("loaf", loaf, crust, -0.58, -0.15, 0.078)


def _books(rng: np.random.Generator) -> None:
    """Three old books in a pile."""
    base = 0.0
    covers, pages = [], []
    sizes = ((0.125, 0.09, 0.019), (0.115, 0.08, 0.014), (0.10, 0.07, 0.017))
    for (half_x, half_y, half_z), angle, tint in zip(
        sizes, (8, -14, 21), ((0.16, 0.05, 0.05), (0.10, 0.15, 0.20), (0.30, 0.22, 0.10)), strict=True
    ):
        rotation = turn(z=angle)
        boards = blocks(
            rng,
            [[0, 0, base + 0.002], [0, 0, base + 2 * half_z - 0.002], [0, half_y - 0.002, base + half_z]],
            [[half_x, half_y, 0.002], [half_x, half_y, 0.002], [half_x, 0.002, half_z - 0.002]],
            tint,
            bevel=0.0015,
        )
        covers.append(boards.moved(rotation=rotation))
        block = blocks(
            rng,
            [[0, 0, base + half_z]],
            [[half_x - 0.006, half_y - 0.006, half_z - 0.004]],
            (0.52, 0.44, 0.31),
        )
        pages.append(block.moved(rotation=rotation))
        base += 2 * half_z
    worn = (Stain((0.36, 0.28, 0.18), 0.05, 0.3, 0.7), Stain((0.05, 0.035, 0.03), 0.09, 0.3, 0.6))
    _place(
        "covers",
        join(covers),
        surface("covers", grains=((0.008, 0.35), (0.04, 0.3)), stains=worn, bump=0.001),
        0.30,
        -0.25,
    )
    paper = surface("pages", grains=((0.0022, 0.35), (0.03, 0.2)), stretch=25, bump=0.001)
    _place("pages", join(pages), paper, 0.30, -0.25)


def _cup(rng: np.random.Generator) -> None:
    profile = [
        (0.001, 0),
        (0.026, 0),
        (0.03, 0.01),
        (0.04, 0.05),
        (0.043, 0.078),
        (0.039, 0.078),
        (0.034, 0.03),
        (0.001, 0.02),
    ]
    painted = surface(
        "cup",
        image=glaze(rng, 768, 512, (0.45, 0.16, 0.12)),
        grains=((0.03, 0.1),),
        bump=0.0006,
        roughness=0.42,
    )
    _place("cup", lathe(profile, (1, 1, 1)), painted, -0.24, -0.26, 0.006)


def _chair(rng: np.random.Generator) -> None:
    """A slatted chair on the table's far side, turned as if someone has just stood up."""
    parts = [
        blocks(
            rng,
            [[0, y, 0.45] for y in np.linspace(-0.17, 0.17, 5)],
            [0.21, 0.036, 0.011],
            mixed(rng, 5, ((0.10, 0.17, 0.19), (0.13, 0.21, 0.22)), 0.12),
            interior=8,
        ),
        _legs(rng, [(-0.18, -0.17, 0.45), (-0.18, 0.17, 0.45), (0.19, -0.18, 0.93), (0.19, 0.18, 0.93)]),
        blocks(
            rng,
            [[0.2, 0, z] for z in (0.58, 0.70, 0.82, 0.90)],
            [0.18, 0.009, 0.032],
            mixed(rng, 4, ((0.10, 0.17, 0.19), (0.13, 0.21, 0.22)), 0.12),
            turns_z(90, 4),
            interior=6,
        ),
        blocks(rng, [[0, y, 0.22] for y in (-0.17, 0.17)], [0.18, 0.012, 0.014], (0.11, 0.18, 0.2)),
    ]
    worn = Stain((0.33, 0.25, 0.17), 0.06, 0.36, 0.9)
    paint = surface(
        "chair paint",
        stretch=8,
        grains=((0.01, 0.3), (0.05, 0.25)),
        stains=(worn,),
        bump=0.003,
        roughness=0.7,
    )
    place = (0.28, 0.80, 0.0)
    to_blender("chair", join(parts).moved(rotation=turn(z=68)).moved(place), paint)
    # A folded cloth over the seat.
    u, v = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 60))
    points = np.stack([0.15 * u, 0.13 * v, 0.474 + 0.0 * u], -1)
    points[..., 2] += 0.012 * np.clip(bumps(points, 0.22), -0.5, 1)
    cotton = surface(
        "napkin", image=printed_cloth(rng, 900, 900), grains=((0.1, 0.12),), bump=0.001, roughness=0.95
    )
    napkin = grid(points, np.stack([u, v], -1) / 2 + 0.5, (1, 1, 1))
    to_blender("napkin", napkin.moved(rotation=turn(z=80)).moved(place), cotton)


def _legs(rng: np.random.Generator, feet: list[tuple[float, float, float]]) -> Mesh:
    """Upright posts: x, y and height of each."""
    count = len(feet)
    centres = np.array([(x, y, height / 2) for x, y, height in feet])
    halves = np.array([(height / 2, 0.017, 0.017) for _, _, height in feet])
    tints = mixed(rng, count, ((0.10, 0.17, 0.19), (0.13, 0.21, 0.22)), 0.12)
    return blocks(rng, centres, halves, tints, np.broadcast_to(turn(y=90), (count, 3, 3)), interior=8)


def _basket(rng: np.random.Generator) -> None:
    """A round wicker basket of apples on the ground beside the table."""
    rows, posts = 13, 26
    angle = np.linspace(0, 2 * np.pi, 157)
    strands = []
    for row in range(rows):
        radius = 0.15 + 0.045 * np.sin(np.pi * (row + 1) / (rows + 3))
        weave = 0.006 * np.sin(posts / 2 * angle + np.pi * row) + rng.normal(scale=0.0008)
        path = np.stack(
            [
                (radius + weave) * np.cos(angle),
                (radius + weave) * np.sin(angle),
                np.full_like(angle, 0.016 * row),
            ],
            -1,
        )
        path[:, 2] += 0.012 + 0.002 * bumps(path + row, 0.1)
        tint = mixed(rng, 1, ((0.36, 0.23, 0.11), (0.28, 0.16, 0.08), (0.44, 0.31, 0.16)), 0.15)[0]
        strands.append(tube(path, 0.0072, tint, 8))
    for post in np.linspace(0, 2 * np.pi, posts, endpoint=False):
        height = np.linspace(0, 0.225, 10)
        radius = 0.15 + 0.045 * np.sin(np.pi * (height / 0.016 + 1) / (rows + 3))
        strands.append(
            tube(
                np.stack([radius * np.cos(post), radius * np.sin(post), height], -1),
                0.005,
                (0.25, 0.15, 0.08),
                6,
            )
        )
    arc = np.linspace(0, np.pi, 40)
    strands.append(
        tube(np.stack([0.17 * np.cos(arc), 0 * arc, 0.2 + 0.19 * np.sin(arc)], -1), 0.009, (0.30, 0.18, 0.09))
    )
    disc = lathe([(0.001, 0.01), (0.15, 0.01)], (0.22, 0.14, 0.08))
    wicker = surface("wicker", stretch=6, grains=((0.008, 0.4), (0.05, 0.25)), bump=0.002)
    place = (0.62, -0.72, 0.004)
    to_blender("basket", join([*strands, disc]).moved(place, None), wicker)
    count = 26
    spots = np.concatenate([rng.uniform(-0.1, 0.1, (count, 2)), rng.uniform(0.10, 0.19, (count, 1))], 1)
    palette = ((0.42, 0.06, 0.04), (0.45, 0.20, 0.06), (0.36, 0.32, 0.08), (0.48, 0.10, 0.05))
    apples = balls(rng, spots, rng.uniform(0.034, 0.041, count), mixed(rng, count, palette, 0.1), rough=0.05)
    blush = Stain((0.50, 0.36, 0.08), 0.05, 0.35, 0.7)
    peel = surface(
        "basket apples", grains=((0.008, 0.2), (0.03, 0.25)), stains=(blush,), bump=0.0006, roughness=0.5
    )
    to_blender("basket apples", apples.moved(place), peel)
