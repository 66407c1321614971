"""The yard itself: setts underfoot, a brick, a rubble, a plastered and a boarded wall, a door and shutters.

Walls are built in their own frame (x along the wall to the right as seen from the yard, y towards the yard,
z up) and then stood in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import bpy
import numpy as np

from courtyard.materials import Stain, surface
from courtyard.mesh import (
    LOBED,
    Floats,
    Mesh,
    balls,
    blocks,
    bumps,
    grid,
    join,
    leaves,
    mixed,
    to_blender,
    tube,
    turn,
    turns,
)
from courtyard.paintings import tile_panel

HALF_X, HALF_Y = 3.7, 3.3
"""Half the yard's size, metres."""
WALL_HEIGHT = 2.7

Opening = tuple[float, float, float, float]
"""Left, right, bottom and top of a hole in a wall, metres."""


def build(rng: np.random.Generator) -> None:
    """Adds ground and walls to the scene."""
    _ground(rng)
    north, east, south, west = _frames()
    door: Opening = (1.1, 2.15, 0.0, 2.1)
    _brick_wall(rng, "north bricks", 2 * HALF_X, north, [door])
    _door(rng, door, north)
    _tiles(rng, north)
    _rubble_wall(rng, east)
    _plaster_wall(rng, south)
    _board_wall(rng, west)


def _frames() -> list[tuple[Floats, Floats]]:
    """Rotation and origin of the north, east, south and west wall."""
    return [
        (turn(z=180), np.array([HALF_X, HALF_Y, 0])),
        (turn(z=90), np.array([HALF_X, -HALF_Y, 0])),
        (turn(z=0), np.array([-HALF_X, -HALF_Y, 0])),
        (turn(z=-90), np.array([-HALF_X, HALF_Y, 0])),
    ]


def _stand(name: str, mesh: Mesh, frame: tuple[Floats, Floats], material: bpy.types.Material) -> None:
    to_blender(name, mesh.moved(frame[1], frame[0]), material)


def _courses(
    rng: np.random.Generator,
    size: tuple[float, float],
    heights: tuple[float, float],
    lengths: tuple[float, float],
    openings: Sequence[Opening] = (),
) -> Floats:
    """Rows of stones that fill a rectangle: left, right, bottom, top of each, ``[N, 4]``."""
    stones = []
    bottom = 0.0
    while bottom < size[1]:
        top = bottom + rng.uniform(*heights)
        left = -rng.uniform(0, lengths[1])
        holes = [hole for hole in openings if hole[2] < top and hole[3] > bottom + 0.02]
        while left < size[0]:
            right = left + rng.uniform(*lengths)
            pieces = [(left, right)]
            for hole in holes:
                pieces = [
                    piece
                    for a, b in pieces
                    for piece in ((a, min(b, hole[0])), (max(a, hole[1]), b))
                    if piece[1] - piece[0] > 0.025
                ]
            stones += [(a, b, bottom, top) for a, b in pieces]
            left = right
        bottom = top
    return np.array(stones)


def _sheet(
    width: float,
    height: float,
    depth: float,
    tint: Sequence[float],
    openings: Sequence[Opening] = (),
    step: float = 0.05,
) -> Mesh:
    """A flat backing at ``depth`` in a wall's frame, with holes."""
    x, z = np.meshgrid(np.arange(-0.2, width + 0.2 + step, step), np.arange(-0.05, height + step, step))
    mesh = grid(np.stack([x, np.full_like(x, depth), z], -1), np.zeros((*x.shape, 2)), tint)
    kept = np.ones(len(mesh.faces), bool)
    for left, right, bottom, top in openings:
        middle = mesh.vertices[mesh.faces].mean(1)
        kept &= (
            (middle[:, 0] < left) | (middle[:, 0] > right) | (middle[:, 2] < bottom) | (middle[:, 2] > top)
        )
    return replace(mesh, faces=mesh.faces[kept])


def _ground(rng: np.random.Generator) -> None:
    stones = _courses(rng, (2 * HALF_X + 0.4, 2 * HALF_Y + 0.4), (0.125, 0.165), (0.13, 0.24))
    count = len(stones)
    x, y = stones[:, :2].mean(1) - HALF_X - 0.2, stones[:, 2:].mean(1) - HALF_Y - 0.2
    # The rows sag a little, as if laid by eye.
    y += 0.03 * np.sin(x * 1.1) + 0.02 * np.sin(2.3 * x + 1)
    level = 0.012 * bumps(np.stack([x, y, 0 * x], -1), 1.5, 2) + rng.normal(scale=0.0035, size=count)
    halves = np.stack(
        [np.diff(stones[:, :2])[:, 0] / 2, np.diff(stones[:, 2:])[:, 0] / 2, np.full(count, 0.06)], -1
    )
    halves[:, :2] -= rng.uniform(0.004, 0.010, (count, 2))
    palette = (
        (0.21, 0.19, 0.17),
        (0.28, 0.25, 0.215),
        (0.14, 0.14, 0.15),
        (0.27, 0.205, 0.16),
        (0.33, 0.30, 0.265),
    )
    setts = blocks(
        rng,
        np.stack([x, y, level - 0.06], -1),
        halves,
        mixed(rng, count, palette, 0.2),
        turns(rng.normal(scale=[0.018, 0.018, 0.025], size=(count, 3))),
        bevel=0.016,
        rough=0.005,
        wavelength=0.11,
        interior=4,
    )
    damp = Stain((0.06, 0.07, 0.03), 0.9, 0.42, 0.65)
    stone = surface(
        "setts",
        grains=((0.012, 0.3), (0.09, 0.3)),
        stains=(damp, Stain((0.33, 0.28, 0.21), 0.5, 0.3, 0.4)),
        bump=0.006,
        bump_size=0.03,
    )
    to_blender("setts", setts, stone)
    x, y = np.meshgrid(
        np.arange(-HALF_X - 0.3, HALF_X + 0.3, 0.03), np.arange(-HALF_Y - 0.3, HALF_Y + 0.3, 0.03)
    )
    points = np.stack([x, y, np.zeros_like(x)], -1)
    points[..., 2] = -0.012 + 0.008 * bumps(points, 0.35)
    soil = grid(points, np.zeros((*x.shape, 2)), (0.16, 0.125, 0.085))
    moss = Stain((0.07, 0.10, 0.025), 0.5, 0.55, 0.85)
    to_blender("joints", soil, surface("soil", grains=((0.01, 0.5), (0.1, 0.3)), stains=(moss,), bump=0.012))
    _litter(rng)


def _litter(rng: np.random.Generator) -> None:
    """Pebbles and fallen leaves, thickest along the walls."""
    count = 1100
    x, y = rng.uniform(-HALF_X, HALF_X, count), rng.uniform(-HALF_Y, HALF_Y, count)
    towards = np.abs(x) / HALF_X > np.abs(y) / HALF_Y
    reach = 1 - 0.12 * rng.random(count) ** 1.5
    near_wall = rng.random(count) < 0.75
    x = np.where(near_wall & towards, np.sign(x) * HALF_X * reach, x)
    y = np.where(near_wall & ~towards, np.sign(y) * HALF_Y * reach, y)
    radius = rng.uniform(0.005, 0.02, count)
    tints = mixed(
        rng, count, ((0.42, 0.38, 0.33), (0.25, 0.23, 0.22), (0.34, 0.25, 0.18), (0.44, 0.41, 0.37))
    )
    centres = np.stack([x, y, 0.01 + 0.4 * radius], -1)
    pebbles = balls(rng, centres, radius, tints, stretch=(1.3, 1, 0.75), rough=0.15, interior=3)
    to_blender("pebbles", pebbles, surface("pebbles", grains=((0.01, 0.3),), bump=0.001))
    count = 330
    spot = rng.uniform((-HALF_X, -HALF_Y), (HALF_X, HALF_Y), (count, 2))
    spot[:120] = rng.normal((-2.9, 1.2), (0.7, 1.2), (120, 2))
    spot = np.clip(spot, (-HALF_X + 0.05, -HALF_Y + 0.05), (HALF_X - 0.05, HALF_Y - 0.05))
    fallen = leaves(
        rng,
        np.concatenate([spot, rng.uniform(0.016, 0.028, (count, 1))], 1),
        np.concatenate([rng.normal(size=(count, 2)), rng.normal(scale=0.08, size=(count, 1))], 1),
        rng.uniform(0.045, 0.095, count),
        mixed(rng, count, ((0.36, 0.19, 0.05), (0.25, 0.11, 0.04), (0.42, 0.29, 0.07), (0.17, 0.17, 0.05))),
        width=0.6,
    )
    to_blender("fallen leaves", fallen, surface("dry leaves", grains=((0.015, 0.35),), bump=0.001))


def _brick_wall(
    rng: np.random.Generator,
    name: str,
    width: float,
    frame: tuple[Floats, Floats],
    openings: Sequence[Opening],
) -> None:
    bricks = _courses(rng, (width, WALL_HEIGHT), (0.0735, 0.0765), (0.214, 0.236), openings)
    count = len(bricks)
    centres = np.stack(
        [bricks[:, :2].mean(1), rng.normal(scale=0.003, size=count), bricks[:, 2:].mean(1)], -1
    )
    halves = np.stack(
        [np.diff(bricks[:, :2])[:, 0] / 2, np.full(count, 0.05), np.diff(bricks[:, 2:])[:, 0] / 2], -1
    )
    halves -= np.array([0.0055, 0, 0.0055])
    palette = (
        (0.36, 0.13, 0.075),
        (0.27, 0.095, 0.06),
        (0.43, 0.20, 0.12),
        (0.19, 0.085, 0.065),
        (0.46, 0.28, 0.18),
    )
    mesh = blocks(
        rng,
        centres,
        halves,
        mixed(rng, count, palette, 0.16),
        turns(rng.normal(scale=0.009, size=(count, 3))),
        bevel=0.007,
        rough=0.0025,
        wavelength=0.07,
    )
    lime = Stain((0.50, 0.46, 0.40), 0.55, 0.3, 0.55)
    moss = Stain((0.09, 0.11, 0.04), 0.25, 0.75, 0.75, low=0.9)
    soot = Stain((0.10, 0.075, 0.06), 0.9, 0.25, 0.5)
    clay = surface(
        "brick", grains=((0.014, 0.35), (0.06, 0.3)), stains=(lime, soot, moss), bump=0.005, bump_size=0.015
    )
    _stand(name, mesh, frame, clay)
    bed = surface("mortar", grains=((0.01, 0.3), (0.2, 0.3)), stains=(moss, soot), bump=0.006)
    _stand(f"{name} mortar", _sheet(width, WALL_HEIGHT, 0.036, (0.36, 0.33, 0.28), openings), frame, bed)


def _rubble_wall(rng: np.random.Generator, frame: tuple[Floats, Floats]) -> None:
    width = 2 * HALF_Y
    stones = _courses(rng, (width, WALL_HEIGHT), (0.12, 0.25), (0.13, 0.44))
    # Some places in a course take two flat stones instead of one.
    split = rng.random(len(stones)) < 0.42
    seam = stones[:, 2] + (stones[:, 3] - stones[:, 2]) * rng.uniform(0.35, 0.65, len(stones))
    lower, upper = stones[split], stones[split]
    lower[:, 3] = upper[:, 2] = seam[split]
    stones = np.concatenate([stones[~split], lower, upper])
    count = len(stones)
    x = stones[:, :2].mean(1)
    z = stones[:, 2:].mean(1) + 0.025 * np.sin(1.7 * x) + 0.012 * np.sin(4.1 * x + 2)
    halves = np.stack(
        [np.diff(stones[:, :2])[:, 0] / 2, np.full(count, 0.09), np.diff(stones[:, 2:])[:, 0] / 2], -1
    )
    halves -= rng.uniform((0.004, 0, 0.004), (0.014, 0.012, 0.012), (count, 3))
    palette = (
        (0.42, 0.37, 0.29),
        (0.33, 0.29, 0.25),
        (0.48, 0.37, 0.23),
        (0.22, 0.21, 0.21),
        (0.38, 0.27, 0.18),
    )
    mesh = blocks(
        rng,
        np.stack([x, rng.normal(scale=0.01, size=count), z], -1),
        halves,
        mixed(rng, count, palette, 0.18),
        turns(rng.normal(scale=(0.03, 0.035, 0.03), size=(count, 3))),
        bevel=0.019,
        rough=0.012,
        wavelength=0.14,
        interior=6,
    )
    lichen = Stain((0.50, 0.47, 0.34), 0.16, 0.28, 0.7)
    moss = Stain((0.08, 0.10, 0.035), 0.3, 0.7, 0.8, low=1.0)
    rust = Stain((0.33, 0.18, 0.08), 0.7, 0.3, 0.45)
    stone = surface(
        "rubble", grains=((0.018, 0.35), (0.11, 0.35)), stains=(rust, lichen, moss), bump=0.01, bump_size=0.04
    )
    _stand("rubble", mesh, frame, stone)
    bed = surface("rubble bed", grains=((0.012, 0.35), (0.2, 0.3)), stains=(moss,), bump=0.01)
    _stand("rubble bed", _sheet(width, WALL_HEIGHT, 0.045, (0.33, 0.29, 0.23)), frame, bed)


def _plaster_wall(rng: np.random.Generator, frame: tuple[Floats, Floats]) -> None:
    """Ochre plaster that has come off in places, down to brick, and a shuttered window."""
    width = 2 * HALF_X
    window: Opening = (3.1, 4.3, 0.95, 2.25)
    _brick_wall(rng, "south bricks", width, frame, [window])
    x, z = np.meshgrid(np.arange(0, width + 0.01, 0.0125), np.arange(0, WALL_HEIGHT, 0.0125))
    points = np.stack([x, np.zeros_like(x), z], -1)
    # Plaster falls off in a few large patches, more of it near the ground.
    wear = bumps(points * (1, 1, 1.25) + 4.2, 1.7, 6) + 0.45 * np.exp(-z / 0.28) + 0.05
    gone = np.clip((wear - 0.62) / 0.05, 0, 1)
    inside = (x > window[0]) & (x < window[1]) & (z > window[2]) & (z < window[3])
    points[..., 1] = 0.068 + 0.006 * bumps(points, 0.5, 5) - 0.05 * gone - 0.3 * inside
    sheet = grid(points, np.zeros((*x.shape, 2)), (0.56, 0.40, 0.21))
    stains = (
        Stain((0.62, 0.53, 0.38), 0.45, 0.5, 0.85),
        Stain((0.46, 0.25, 0.12), 0.8, 0.35, 0.7),
        Stain((0.24, 0.21, 0.16), 0.3, 0.3, 0.55),
        Stain((0.14, 0.14, 0.08), 0.25, 0.75, 0.75, low=0.7),
        Stain((0.66, 0.60, 0.48), 0.09, 0.22, 0.6),
    )
    lime = surface("plaster", grains=((0.012, 0.25), (0.07, 0.25)), stains=stains, bump=0.008, bump_size=0.05)
    _stand("plaster", sheet, frame, lime)
    left, right, low, high = window
    middle = (left + right) / 2
    parts = [
        blocks(
            rng,
            [[middle, 0.07, low - 0.04]],
            [[0.70, 0.12, 0.045]],
            (0.36, 0.34, 0.30),
            rough=0.006,
            interior=8,
        ),
        blocks(
            rng,
            [[middle, 0.02, high + 0.09]],
            [[0.74, 0.065, 0.085]],
            (0.34, 0.31, 0.27),
            rough=0.006,
            interior=8,
        ),
    ]
    dressed = surface("dressed stone", stains=(Stain((0.2, 0.19, 0.14), 0.2, 0.4, 0.6),), bump=0.005)
    _stand("sill and lintel", join(parts), frame, dressed)
    wood = []
    for side in (-1, 1):
        centre = middle + side * 0.3
        for edge in (-0.265, 0.265):
            wood.append(
                blocks(
                    rng, [[centre + edge, 0.05, (low + high) / 2]], [[0.032, 0.02, 0.645]], (0.13, 0.24, 0.27)
                )
            )
        for height in (low + 0.045, (low + high) / 2, high - 0.045):
            wood.append(blocks(rng, [[centre, 0.05, height]], [[0.24, 0.018, 0.045]], (0.14, 0.25, 0.27)))
        heights = np.concatenate(
            [np.arange(low + 0.11, low + 0.6, 0.043), np.arange(low + 0.72, high - 0.08, 0.043)]
        )
        slats = len(heights)
        tilt = np.stack(
            [rng.normal(0.75, 0.06, slats), rng.normal(scale=0.008, size=slats), np.zeros(slats)], -1
        )
        centres = np.stack([np.full(slats, centre), np.full(slats, 0.045), heights], -1)
        tints = mixed(rng, slats, ((0.13, 0.24, 0.27), (0.17, 0.29, 0.31), (0.10, 0.20, 0.22)), 0.12)
        wood.append(blocks(rng, centres, [0.236, 0.028, 0.005], tints, turns(tilt), bevel=0.002))
    _stand("shutters", join(wood), frame, _painted_wood("shutters"))


def _painted_wood(name: str) -> bpy.types.Material:
    bare = Stain((0.30, 0.24, 0.18), 0.07, 0.3, 0.9)
    pale = Stain((0.33, 0.42, 0.42), 0.3, 0.35, 0.5)
    return surface(
        name, grains=((0.01, 0.25), (0.05, 0.25)), stretch=9, stains=(pale, bare), bump=0.003, roughness=0.7
    )


def _door(rng: np.random.Generator, opening: Opening, frame: tuple[Floats, Floats]) -> None:
    left, right, _, top = opening
    edges = np.cumsum([left + 0.09, *rng.uniform(0.13, 0.19, 5)])
    edges = left + 0.09 + (edges - edges[0]) * (right - left - 0.18) / (edges[-1] - edges[0])
    width = np.diff(edges)
    centres = np.stack([(edges[:-1] + edges[1:]) / 2, np.full(5, -0.02), np.full(5, top / 2 - 0.03)], -1)
    # Boards stand upright: their own x axis, the grain, points up.
    upright = np.broadcast_to(turn(y=90), (5, 3, 3))
    halves = np.stack([np.full(5, top / 2 - 0.07), np.full(5, 0.02), width / 2 - 0.004], -1)
    tints = mixed(rng, 5, ((0.11, 0.20, 0.13), (0.14, 0.24, 0.15), (0.09, 0.17, 0.12)), 0.12)
    parts = [blocks(rng, centres, halves, tints, upright, interior=6)]
    middle = (left + right) / 2
    half = (right - left) / 2 - 0.10
    for height in (0.35, 1.05, 1.75):
        parts.append(blocks(rng, [[middle, 0.012, height]], [[half, 0.018, 0.055]], (0.12, 0.21, 0.135)))
    brace = turn(y=-np.degrees(np.arctan2(0.6, 2 * half)))[None]
    for height in (0.70, 1.40):
        parts.append(blocks(rng, [[middle, 0.010, height]], [[half, 0.016, 0.05]], (0.12, 0.2, 0.13), brace))
    _stand("door", join(parts), frame, _painted_wood("door"))
    posts = [
        blocks(
            rng,
            [[x, 0.0, top / 2]],
            [[top / 2, 0.05, 0.045]],
            (0.20, 0.15, 0.11),
            turn(y=90)[None],
            rough=0.002,
            interior=9,
        )
        for x in (left + 0.045, right - 0.045)
    ]
    posts.append(
        blocks(
            rng,
            [[middle, 0.02, top + 0.02]],
            [[0.66, 0.075, 0.075]],
            (0.21, 0.16, 0.11),
            rough=0.004,
            interior=9,
        )
    )
    _stand(
        "door frame",
        join(posts),
        frame,
        surface("oak", stretch=9, grains=((0.012, 0.4), (0.06, 0.25)), bump=0.004),
    )
    iron = [
        blocks(rng, [[left + 0.33, 0.033, height]], [[0.22, 0.004, 0.018]], (0.045, 0.04, 0.04))
        for height in (0.35, 1.75)
    ]
    ring = np.linspace(0, 2 * np.pi, 25)
    centre = np.array([right - 0.2, 0.045, 1.0])
    iron.append(
        tube(
            centre + 0.055 * np.stack([np.sin(ring), 0 * ring, np.cos(ring) - 1], -1),
            0.008,
            (0.05, 0.045, 0.04),
        )
    )
    metal = surface(
        "iron", grains=((0.01, 0.4),), stains=(Stain((0.16, 0.07, 0.035), 0.05, 0.45, 0.8),), roughness=0.6
    )
    _stand("door iron", join(iron), frame, metal)
    step = blocks(
        rng,
        [[middle, 0.22, 0.03]],
        [[0.62, 0.2, 0.06]],
        (0.34, 0.32, 0.28),
        bevel=0.02,
        rough=0.008,
        interior=9,
    )
    _stand(
        "step", step, frame, surface("step", stains=(Stain((0.10, 0.11, 0.05), 0.3, 0.45, 0.7),), bump=0.006)
    )


def _tiles(rng: np.random.Generator, frame: tuple[Floats, Floats]) -> None:
    """A panel of painted tiles in a stone frame, on the brick wall."""
    left, right, low, high = 3.5, 4.64, 1.0, 1.76
    u, v = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 40))
    # Seen from the yard, x grows to the right in the wall's frame.
    points = np.stack([left + u * (right - left), np.full_like(u, 0.068), low + v * (high - low)], -1)
    points[..., 1] += 0.0015 * bumps(points, 0.2)
    worn = Stain((0.42, 0.36, 0.29), 0.06, 0.16, 0.8)
    panel = surface(
        "tiles", image=tile_panel(rng), grains=((0.05, 0.12),), stains=(worn,), bump=0.001, roughness=0.45
    )
    _stand("tiles", grid(points, np.stack([u, v], -1), (1, 1, 1)), frame, panel)
    across, up = (left + right) / 2, (low + high) / 2
    edge = [
        blocks(rng, [[across, 0.06, z]], [[0.63, 0.035, 0.03]], (0.40, 0.36, 0.30), rough=0.003, interior=8)
        for z in (low - 0.03, high + 0.03)
    ] + [
        blocks(rng, [[x, 0.06, up]], [[0.03, 0.033, 0.38]], (0.38, 0.35, 0.29), rough=0.003, interior=8)
        for x in (left - 0.03, right + 0.03)
    ]
    _stand("tile frame", join(edge), frame, surface("tile frame", bump=0.004))


def _board_wall(rng: np.random.Generator, frame: tuple[Floats, Floats]) -> None:
    """Weathered boards with ivy growing over one end."""
    width = 2 * HALF_Y
    edges = np.cumsum(rng.uniform(0.10, 0.17, 60))
    edges = edges[edges < width + 0.1]
    count = len(edges) - 1
    height = rng.uniform(2.35, 2.5, count)
    centres = np.stack(
        [(edges[:-1] + edges[1:]) / 2, rng.normal(scale=0.006, size=count), height / 2 + 0.03], -1
    )
    halves = np.stack(
        [height / 2, np.full(count, 0.012), np.diff(edges) / 2 - rng.uniform(0.001, 0.005, count)], -1
    )
    tilt = turns(
        np.stack(
            [np.zeros(count), rng.normal(scale=0.005, size=count), rng.normal(scale=0.02, size=count)], -1
        )
    )
    palette = (
        (0.30, 0.25, 0.20),
        (0.36, 0.32, 0.27),
        (0.22, 0.17, 0.13),
        (0.38, 0.29, 0.20),
        (0.27, 0.25, 0.23),
    )
    boards = blocks(
        rng, centres, halves, mixed(rng, count, palette, 0.2), tilt @ turn(y=90), rough=0.002, interior=12
    )
    damp = Stain((0.09, 0.095, 0.05), 0.35, 0.75, 0.75, low=0.8)
    stains = (damp, Stain((0.14, 0.11, 0.09), 0.8, 0.35, 0.5))
    wood = surface("boards", stretch=12, grains=((0.010, 0.45), (0.07, 0.35)), stains=stains, bump=0.004)
    _stand("boards", boards, frame, wood)
    _stand("behind boards", _sheet(width, WALL_HEIGHT, -0.05, (0.05, 0.045, 0.04)), frame, wood)
    rails = [
        blocks(
            rng,
            [[width / 2, 0.035, z]],
            [[width / 2, 0.022, 0.045]],
            (0.28, 0.23, 0.18),
            rough=0.003,
            interior=30,
        )
        for z in (0.45, 2.1)
    ]
    _stand("rails", join(rails), frame, wood)
    _ivy(rng, frame)


def _ivy(rng: np.random.Generator, frame: tuple[Floats, Floats]) -> None:
    stems, spots = [], []
    for _ in range(26):
        point = np.array([rng.normal(1.3, 0.45), 0.03, 0.0])
        heading = rng.normal(np.pi / 2, 0.25)
        path = [point]
        for _ in range(int(rng.uniform(25, 62))):
            heading = np.clip(heading + rng.normal(scale=0.22), 0.25, np.pi - 0.25)
            point = point + 0.042 * np.array([np.cos(heading), 0, np.sin(heading)])
            path.append(point + np.array([0, 0.02 * np.sin(9 * point[2]), 0]))
        stems.append(tube(np.array(path), 0.007, (0.13, 0.09, 0.06), 6))
        spots.append(np.repeat(np.array(path)[3:], 2, axis=0))
    where = np.concatenate(spots)
    where = where[where[:, 2] < 2.45]
    count = len(where)
    where = where + rng.normal(scale=(0.06, 0.0, 0.05), size=(count, 3)) + [0, 0.03, 0]
    where[:, 1] += np.abs(rng.normal(scale=0.035, size=count))
    outwards = np.stack(
        [rng.normal(scale=0.7, size=count), rng.uniform(0.2, 0.7, count), rng.uniform(-0.9, 0.2, count)], -1
    )
    palette = ((0.06, 0.13, 0.03), (0.09, 0.18, 0.045), (0.05, 0.10, 0.03), (0.15, 0.21, 0.06))
    green = leaves(
        rng,
        where,
        outwards,
        rng.uniform(0.06, 0.11, count),
        mixed(rng, count, palette, 0.18),
        outline=LOBED,
        width=0.95,
        facing=np.broadcast_to([0.0, 0.9, 0.5], (count, 3)),
    )
    leaf = surface("ivy", grains=((0.02, 0.3),), bump=0.001, roughness=0.6, translucent=0.2)
    _stand("ivy", green, frame, leaf)
    _stand("ivy stems", join(stems), frame, surface("stems", stretch=5))
