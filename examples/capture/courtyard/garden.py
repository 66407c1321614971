"""What stands along the walls: firewood, planters, pots, a crate and a watering can."""

from __future__ import annotations

import numpy as np

from courtyard.architecture import HALF_X, HALF_Y
from courtyard.materials import Stain, surface
from courtyard.mesh import (
    Floats,
    Mesh,
    balls,
    blocks,
    bumps,
    grid,
    join,
    lathe,
    mixed,
    to_blender,
    tube,
    turn,
)
from courtyard.still_life import blossoms, foliage, pot, terracotta

GREENS = ((0.08, 0.16, 0.04), (0.12, 0.20, 0.05), (0.06, 0.11, 0.035), (0.19, 0.22, 0.07))
GREYGREENS = ((0.20, 0.25, 0.17), (0.16, 0.21, 0.13), (0.26, 0.29, 0.20))


def build(rng: np.random.Generator) -> None:
    """Adds everything along the walls to the scene."""
    _firewood(rng)
    _barrel(rng)
    _trough(rng)
    _crate(rng)
    _pots(rng)
    _watering_can(rng)


def _firewood(rng: np.random.Generator) -> None:
    """Logs piled against the rubble wall, their cut ends towards the yard."""
    bark, ends = [], []
    height = 0.07
    while height < 0.95:
        y = -1.1 + rng.uniform(0, 0.06)
        while y < 0.75 - 0.5 * max(height - 0.6, 0):
            radius = rng.uniform(0.048, 0.078)
            y += radius
            reach = HALF_X - 0.42 + rng.normal(scale=0.025)
            centre = np.array([0.0, y, height + rng.normal(scale=0.008)])
            path = centre + np.linspace((reach, 0, 0), (HALF_X - 0.06, *rng.normal(scale=0.02, size=2)), 8)
            tint = mixed(rng, 1, ((0.20, 0.14, 0.09), (0.28, 0.22, 0.16), (0.13, 0.09, 0.07)), 0.15)[0]
            bark.append(tube(path, radius * (1 + 0.04 * rng.normal(size=8)), tint, 18))
            ends.append(_log_end(rng, path[0], radius))
            y += radius + 0.004
        height += 0.112
    rough = surface("bark", stretch=4, grains=((0.015, 0.45), (0.08, 0.3)), bump=0.012, bump_size=0.02)
    to_blender("logs", join(bark), rough)
    stakes = [[HALF_X - 0.36, y, 0.55] for y in (-1.16, 0.84)] + [
        [HALF_X - 0.12, y, 0.55] for y in (-1.16, 0.84)
    ]
    upright = np.broadcast_to(turn(y=90), (4, 3, 3))
    to_blender(
        "stakes",
        blocks(rng, stakes, [0.55, 0.03, 0.03], (0.25, 0.19, 0.13), upright, rough=0.003, interior=9),
        rough,
    )
    to_blender("log ends", join(ends), surface("log ends", grains=((0.008, 0.25), (0.05, 0.2)), bump=0.002))


def _log_end(rng: np.random.Generator, centre: Floats, radius: float) -> Mesh:
    """A sawn face with rings and cracks, as vertex colours."""
    angle = np.linspace(0, 2 * np.pi, 49)
    share = np.linspace(0.001, 1, 22)
    r, a = np.meshgrid(share, angle, indexing="ij")
    wobble = 1 + 0.04 * np.sin(2 * a + rng.uniform(0, 6)) + 0.03 * np.sin(3 * a + rng.uniform(0, 6))
    points = np.stack(
        [np.full_like(r, -0.004), radius * r * wobble * np.sin(a), radius * r * wobble * np.cos(a)], -1
    )
    wood = mixed(rng, 1, ((0.50, 0.34, 0.19), (0.42, 0.27, 0.15), (0.36, 0.27, 0.19)), 0.12)[0]
    rings = 0.86 + 0.14 * np.sin(r * rng.uniform(26, 44) + 2 * bumps(points + centre, 0.1, 2))
    crack = np.exp(-((np.angle(np.exp(1j * (a - rng.uniform(0, 6)))) / 0.09) ** 2)) * (r > 0.15)
    edge = np.clip((r - 0.9) / 0.08, 0, 1)
    tint = wood * (rings * (1 - 0.6 * crack) * (1 - 0.65 * edge))[..., None]
    mesh = grid(points, np.zeros((*r.shape, 2)), (1, 1, 1)).moved(centre)
    return Mesh(mesh.vertices, mesh.faces, mesh.local + rng.uniform(-9, 9, 3), tint.reshape(-1, 3), mesh.uv)


def _barrel(rng: np.random.Generator) -> None:
    """Half a barrel with a shrub in it, in the north-east corner."""
    staves = 22
    parts = []
    for angle in np.linspace(0, 2 * np.pi, staves, endpoint=False):
        turned = turn(z=np.degrees(angle)) @ turn(y=96)
        tint = mixed(rng, 1, ((0.25, 0.16, 0.10), (0.31, 0.22, 0.14), (0.19, 0.12, 0.08)), 0.12)[0]
        centre = turn(z=np.degrees(angle)) @ np.array([0.30, 0, 0.23])
        parts.append(blocks(rng, [centre], [[0.23, 0.041, 0.014]], tint, turned[None], interior=6))
    soil = lathe([(0.3, 0.40), (0.2, 0.42), (0.001, 0.43)], (0.06, 0.045, 0.03))
    place = (HALF_X - 0.55, HALF_Y - 0.55, 0.0)
    wood = surface("staves", stretch=9, grains=((0.011, 0.4), (0.06, 0.3)), bump=0.004)
    to_blender("barrel", join([*parts, soil]).moved(place), wood)
    angle = np.linspace(0, 2 * np.pi, 61)
    hoops = [
        tube(
            np.stack([r * np.cos(angle), r * np.sin(angle), np.full_like(angle, z)], -1),
            0.012,
            (0.09, 0.07, 0.06),
            8,
        )
        for r, z in ((0.298, 0.09), (0.332, 0.38))
    ]
    rust = surface(
        "hoops", grains=((0.01, 0.4),), stains=(Stain((0.20, 0.09, 0.04), 0.05, 0.45, 0.8),), roughness=0.7
    )
    to_blender("hoops", join(hoops).moved(place), rust)
    shrub = foliage(rng, 620, (0.44, 0.44, 0.62), (0.07, 0.12), GREENS, width=0.5)
    leaf = surface("shrub leaves", grains=((0.02, 0.3),), bump=0.001, roughness=0.65, translucent=0.2)
    to_blender("shrub", shrub.moved((*place[:2], 0.46)), leaf)
    stems = [
        tube(np.linspace((0, 0, 0.4), tip, 6), 0.011, (0.16, 0.11, 0.07), 7)
        for tip in rng.normal((0, 0, 0.8), (0.17, 0.17, 0.1), (12, 3))
    ]
    to_blender("shrub stems", join(stems).moved(place), wood)


def _trough(rng: np.random.Generator) -> None:
    """A stone trough of flowers under the shuttered window."""
    x, y = 0.0, -HALF_Y + 0.36
    shell = blocks(
        rng,
        [[x, y - 0.17, 0.2], [x, y + 0.17, 0.2], [x - 0.62, y, 0.2], [x + 0.62, y, 0.2], [x, y, 0.17]],
        [[0.68, 0.05, 0.2], [0.68, 0.05, 0.2], [0.06, 0.2, 0.198], [0.06, 0.2, 0.198], [0.6, 0.15, 0.16]],
        [(0.36, 0.34, 0.30)] * 4 + [(0.06, 0.045, 0.03)],
        bevel=0.018,
        rough=0.009,
        wavelength=0.2,
        interior=14,
    )
    stains = (Stain((0.45, 0.42, 0.30), 0.1, 0.3, 0.6), Stain((0.08, 0.10, 0.04), 0.2, 0.6, 0.8, low=0.5))
    to_blender(
        "trough",
        shell,
        surface("trough stone", grains=((0.012, 0.35), (0.1, 0.3)), stains=stains, bump=0.008),
    )
    leaf = surface("trough leaves", grains=((0.02, 0.3),), bump=0.001, roughness=0.65, translucent=0.2)
    petal = surface("trough petals", grains=((0.01, 0.2),), bump=0, translucent=0.25)
    for offset, greens, colour in (
        (-0.42, GREYGREENS, ((0.34, 0.20, 0.45), (0.42, 0.28, 0.52))),
        (0.0, GREENS, ((0.70, 0.45, 0.08), (0.72, 0.55, 0.15))),
        (0.42, GREENS, ((0.62, 0.58, 0.50), (0.62, 0.35, 0.36))),
    ):
        place = (x + offset, y, 0.34)
        to_blender(
            "trough plant", foliage(rng, 170, (0.24, 0.19, 0.2), (0.06, 0.1), greens, 0.5).moved(place), leaf
        )
        heads = rng.normal(size=(16, 3))
        heads[:, 2] = np.abs(heads[:, 2]) + 0.4
        heads *= (0.26, 0.2, 0.24) / np.linalg.norm(heads, axis=1, keepdims=True)
        to_blender("trough flowers", blossoms(rng, heads, 0.036, colour).moved(place), petal)


def _crate(rng: np.random.Generator) -> None:
    """A slatted crate with pumpkins by the boarded wall."""
    half_x, half_y, height = 0.2, 0.32, 0.34
    parts = []
    for z in (0.06, 0.16, 0.26):
        for side in (-1, 1):
            tints = mixed(rng, 2, ((0.42, 0.31, 0.19), (0.33, 0.25, 0.17)), 0.15)
            parts.append(
                blocks(
                    rng,
                    [[side * half_x, 0, z]],
                    [[half_y, 0.007, 0.04]],
                    tints[:1],
                    turn(z=90)[None],
                    interior=6,
                )
            )
            parts.append(blocks(rng, [[0, side * half_y, z]], [[half_x, 0.007, 0.04]], tints[1:], interior=6))
    corners = [[sx * (half_x - 0.02), sy * (half_y - 0.02), height / 2] for sx in (-1, 1) for sy in (-1, 1)]
    parts.append(
        blocks(
            rng,
            corners,
            [height / 2, 0.015, 0.015],
            (0.30, 0.21, 0.13),
            np.broadcast_to(turn(y=90), (4, 3, 3)),
        )
    )
    parts.append(blocks(rng, [[0, 0, 0.03]], [[half_x, half_y, 0.01]], (0.30, 0.21, 0.13)))
    place, rotation = (-HALF_X + 0.5, -1.15, 0.01), turn(z=-9)
    wood = surface("crate wood", stretch=10, grains=((0.01, 0.4), (0.06, 0.3)), bump=0.003)
    to_blender("crate", join(parts).moved(rotation=rotation).moved(place), wood)
    spots = np.array([(-0.04, -0.18, 0.26), (0.03, 0.05, 0.28), (-0.02, 0.24, 0.25), (0.0, -0.05, 0.14)])
    radii = (0.115, 0.13, 0.10, 0.12)
    pumpkins = []
    for spot, radius in zip(spots, radii, strict=True):
        tint = mixed(rng, 1, ((0.55, 0.24, 0.05), (0.50, 0.32, 0.09), (0.30, 0.30, 0.14)), 0.1)[0]
        ball = balls(rng, [(0, 0, 0)], radius, tint, rough=0.02, interior=30)
        points = ball.local - ball.local.mean(0)
        ribs = 1 - 0.07 * np.abs(np.sin(5 * np.arctan2(points[:, 1], points[:, 0])))
        points = points * (1, 1, 0.8) * ribs[:, None]
        pumpkins.append(
            Mesh(points, ball.faces, ball.local, ball.tint, ball.uv).moved(
                spot, turn(*rng.normal(scale=12, size=3))
            )
        )
        stalk = np.linspace((0, 0, 0.74 * radius), (0.02, 0.01, 1.05 * radius), 6)
        pumpkins.append(tube(stalk + spot, np.linspace(0.016, 0.009, 6), (0.20, 0.17, 0.08), 9))
    scars = (Stain((0.55, 0.40, 0.20), 0.05, 0.3, 0.6), Stain((0.25, 0.22, 0.07), 0.12, 0.3, 0.5))
    skin = surface("pumpkins", grains=((0.01, 0.2), (0.05, 0.25)), stains=scars, bump=0.002, roughness=0.6)
    to_blender("pumpkins", join(pumpkins).moved(rotation=rotation).moved(place), skin)


def _pots(rng: np.random.Generator) -> None:
    """Terracotta pots with plants along the brick and the boarded wall, and on the window sill."""
    clay = terracotta("yard clay")
    leaf = surface("pot leaves", grains=((0.02, 0.3),), bump=0.001, roughness=0.65, translucent=0.2)
    petal = surface("pot petals", grains=((0.01, 0.2),), bump=0, translucent=0.25)
    tints = ((0.46, 0.20, 0.11), (0.40, 0.18, 0.10), (0.50, 0.26, 0.15), (0.36, 0.15, 0.09))
    placed = (
        # x, y, z, radius, height, leaves, plant's half width and height
        (0.72, HALF_Y - 0.36, 0.0, 0.20, 0.33, 230, 0.27, 0.32),
        (0.18, HALF_Y - 0.30, 0.0, 0.15, 0.25, 150, 0.20, 0.24),
        (-0.34, HALF_Y - 0.33, 0.0, 0.18, 0.28, 200, 0.22, 0.42),
        (-2.95, HALF_Y - 0.42, 0.0, 0.24, 0.40, 300, 0.33, 0.45),
        (-HALF_X + 0.36, 0.15, 0.0, 0.16, 0.26, 170, 0.22, 0.28),
        (-HALF_X + 0.34, -2.5, 0.0, 0.21, 0.36, 240, 0.28, 0.40),
        (1.75, -HALF_Y + 0.36, 0.0, 0.19, 0.30, 200, 0.25, 0.30),
        (0.22, -HALF_Y + 0.13, 0.955, 0.07, 0.12, 70, 0.10, 0.13),
        (-0.28, -HALF_Y + 0.13, 0.955, 0.06, 0.11, 60, 0.09, 0.10),
    )
    for number, (x, y, z, radius, height, count, wide, tall) in enumerate(placed):
        to_blender(
            "yard pot", pot(radius, height, tints[number % 4]).moved((x, y, z), turn(z=50.0 * number)), clay
        )
        greens = GREYGREENS if number % 3 == 2 else GREENS
        size = (0.28 * wide, 0.45 * wide)
        plant = foliage(rng, count, (wide, wide, tall), size, greens, width=0.4 + 0.15 * (number % 4))
        to_blender("yard plant", plant.moved((x, y, z + 0.92 * height)), leaf)
        if number % 2 == 0:
            heads = rng.normal(size=(9, 3))
            heads[:, 2] = np.abs(heads[:, 2]) + 0.4
            heads *= np.array([wide, wide, tall]) * 1.08 / np.linalg.norm(heads, axis=1, keepdims=True)
            colour = (
                ((0.62, 0.30, 0.34), (0.66, 0.50, 0.48))
                if number % 4
                else ((0.68, 0.40, 0.07), (0.60, 0.20, 0.06))
            )
            to_blender(
                "yard flowers", blossoms(rng, heads, 0.04, colour).moved((x, y, z + 0.92 * height)), petal
            )
    # Two empty pots, one tipped over.
    to_blender("empty pot", pot(0.13, 0.22, tints[2]).moved((2.75, -HALF_Y + 0.42, 0.0)), clay)
    tipped = pot(0.12, 0.2, tints[1]).moved(rotation=turn(y=92, z=35)).moved((2.35, -HALF_Y + 0.50, 0.115))
    to_blender("tipped pot", tipped, clay)


def _watering_can(rng: np.random.Generator) -> None:
    """A zinc can beside the trough."""
    body = lathe(
        [
            (0.001, 0),
            (0.12, 0),
            (0.124, 0.01),
            (0.118, 0.12),
            (0.112, 0.24),
            (0.115, 0.25),
            (0.1, 0.262),
            (0.06, 0.27),
            (0.001, 0.2),
        ],
        (0.30, 0.31, 0.31),
    )
    spout = tube(
        [(0.10, 0, 0.05), (0.16, 0, 0.10), (0.23, 0, 0.2), (0.30, 0, 0.29)],
        [0.026, 0.02, 0.016, 0.014],
        (0.28, 0.29, 0.29),
    )
    rose = lathe([(0.014, 0), (0.042, 0.04), (0.001, 0.05)], (0.30, 0.27, 0.22), 32).moved(
        (0.295, 0, 0.275), turn(y=42)
    )
    arc = np.linspace(-0.3, 2.4, 24)
    handle = tube(
        np.stack([-0.06 - 0.13 * np.sin(arc), 0 * arc, 0.19 + 0.14 * np.cos(arc)], -1),
        0.009,
        (0.26, 0.27, 0.27),
    )
    stains = (Stain((0.16, 0.16, 0.16), 0.06, 0.4, 0.6), Stain((0.26, 0.14, 0.07), 0.08, 0.25, 0.7))
    zinc = surface("zinc", grains=((0.012, 0.25), (0.05, 0.3)), stains=stains, bump=0.001, roughness=0.6)
    mesh = join([body, spout, rose, handle]).moved(rotation=turn(z=115)).moved((1.18, -HALF_Y + 0.55, 0.012))
    to_blender("watering can", mesh, zinc)
