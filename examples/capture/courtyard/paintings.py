"""Painted surfaces as images: a printed cloth, a ceramic glaze, a panel of tiles. No two motifs are alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from courtyard.mesh import Floats

Colour = tuple[float, float, float]


def _motif(
    image: Floats, rng: np.random.Generator, centre: Floats, radius: float, colours: Sequence[Colour]
) -> None:
    """Draws a flower of random petals onto ``image`` ``[H, W, 3]``; ``centre`` is (x, y) in pixels."""
    height, width = image.shape[:2]
    x0, x1 = max(int(centre[0] - radius), 0), min(int(centre[0] + radius) + 1, width)
    y0, y1 = max(int(centre[1] - radius), 0), min(int(centre[1] + radius) + 1, height)
    if x0 >= x1 or y0 >= y1:
        return
    y, x = np.mgrid[y0:y1, x0:x1]
    dx, dy = x - centre[0], y - centre[1]
    distance, angle = np.hypot(dx, dy) / radius, np.arctan2(dy, dx)
    petals, phase = rng.integers(4, 9), rng.uniform(0, 6)
    depth = rng.uniform(0.15, 0.4)
    rim = 1 - depth + depth * np.cos(petals * angle + phase)
    order = rng.permutation(len(colours))
    window = image[y0:y1, x0:x1]
    for share, colour in zip((1.0, 0.78, 0.42, 0.22), order, strict=False):
        limit = rim * share if share > 0.3 else share
        cover = np.clip((limit - distance) * radius, 0, 1)[..., None]
        window[:] = window * (1 - cover) + cover * np.asarray(colours[colour])


def _sprig(image: Floats, rng: np.random.Generator, start: Floats, length: float, colour: Colour) -> None:
    """Draws a bent stalk with leaves."""
    heading, bend = rng.uniform(0, 2 * np.pi), rng.uniform(-0.25, 0.25)
    point = np.array(start, float)
    steps = 9
    for step in range(steps):
        point += length / steps * np.array([np.cos(heading), np.sin(heading)])
        heading += bend
        side = heading + (1.1 if step % 2 else -1.1)
        for share in np.linspace(0.2, 1.0, 5):
            dot = point + share * 0.3 * length * (1 - step / steps) * np.array([np.cos(side), np.sin(side)])
            _disc(image, dot, max(length * 0.06 * np.sin(np.pi * share * 0.85), 1.0), colour)
        _disc(image, point, max(length * 0.02, 1.0), colour)


def _disc(image: Floats, centre: Floats, radius: float, colour: Colour) -> None:
    height, width = image.shape[:2]
    x0, x1 = max(int(centre[0] - radius - 1), 0), min(int(centre[0] + radius) + 2, width)
    y0, y1 = max(int(centre[1] - radius - 1), 0), min(int(centre[1] + radius) + 2, height)
    if x0 >= x1 or y0 >= y1:
        return
    y, x = np.mgrid[y0:y1, x0:x1]
    cover = np.clip(radius - np.hypot(x - centre[0], y - centre[1]) + 0.5, 0, 1)[..., None]
    window = image[y0:y1, x0:x1]
    window[:] = window * (1 - cover) + cover * np.asarray(colour)


def _spread(rng: np.random.Generator, count: int, width: int, height: int) -> Floats:
    """``count`` points, each the farthest of twenty candidates from those before: even, yet irregular."""
    points = rng.uniform(0, 1, (1, 2)) * (width, height)
    for _ in range(count - 1):
        candidates = rng.uniform(0, 1, (20, 2)) * (width, height)
        distance = np.linalg.norm(candidates[:, None] - points[None], axis=2).min(1)
        points = np.concatenate([points, candidates[[distance.argmax()]]])
    return points


def printed_cloth(rng: np.random.Generator, width: int = 2048, height: int = 720) -> Floats:
    """A cotton print: flowers and sprigs, two borders, a visible weave. ``[height, width, 3]`` sRGB."""
    image = np.full((height, width, 3), (0.80, 0.74, 0.62))
    leaf: Colour = (0.33, 0.42, 0.30)
    palette: tuple[Colour, ...] = (
        (0.62, 0.20, 0.17),
        (0.82, 0.55, 0.24),
        (0.25, 0.32, 0.47),
        (0.86, 0.80, 0.70),
    )
    for point in _spread(rng, 110, width, height):
        _sprig(image, rng, point, rng.uniform(70, 150), leaf)
    for point in _spread(rng, 90, width, height):
        _motif(image, rng, point, rng.uniform(24, 62), palette)
    for point in _spread(rng, 350, width, height):
        _disc(image, point, rng.uniform(3, 7), palette[rng.integers(3)])
    edge = height // 14
    for band in (image[:edge], image[-edge:]):
        band[:] = band * 0.15 + 0.85 * np.array((0.48, 0.17, 0.16))
        for x in np.arange(20, width, 46):
            _motif(band, rng, np.array([x + rng.normal(scale=3), edge / 2]), rng.uniform(13, 19), palette)
    weave = 1 + 0.04 * rng.normal(size=(height, 1, 1)) + 0.04 * rng.normal(size=(1, width, 1))
    return np.clip(image * weave, 0, 1)


def glaze(
    rng: np.random.Generator, width: int = 1024, height: int = 1024, ink: Colour = (0.13, 0.22, 0.45)
) -> Floats:
    """A glaze for a lathe's uv, cream painted with ``ink`` in bands. ``[height, width, 3]`` sRGB."""
    image = np.full((height, width, 3), (0.84, 0.81, 0.73))
    light: Colour = (0.42, 0.52, 0.68)
    rust: Colour = (0.68, 0.36, 0.18)
    for point in _spread(rng, 46, width, height):
        _sprig(image, rng, point, rng.uniform(60, 120), ink)
    for point in _spread(rng, 40, width, height):
        _motif(image, rng, point, rng.uniform(22, 58), (ink, light, rust, (0.86, 0.83, 0.75)))
    for share in np.linspace(0.05, 0.95, 7):
        wave = share * height + 4 * np.sin(np.arange(width) * 2 * np.pi * 5 / width + rng.uniform(0, 6))
        rows = np.arange(height)[:, None]
        cover = np.clip(rng.uniform(4, 11) - np.abs(rows - wave[None]), 0, 1)[..., None]
        image = image * (1 - cover) + cover * np.asarray(ink if rng.random() < 0.6 else rust)
    return np.clip(image, 0, 1)


def tile_panel(rng: np.random.Generator, columns: int = 6, rows: int = 4, side: int = 170) -> Floats:
    """Hand-painted wall tiles, each with its own pattern. ``[rows * side, columns * side, 3]`` sRGB."""
    panel = np.empty((rows * side, columns * side, 3))
    inks: tuple[Colour, ...] = (
        (0.15, 0.26, 0.50),
        (0.72, 0.50, 0.20),
        (0.24, 0.40, 0.34),
        (0.80, 0.77, 0.70),
    )
    for row in range(rows):
        for column in range(columns):
            tile = np.full((side, side, 3), (0.82, 0.79, 0.71)) * rng.uniform(0.88, 1.04)
            _motif(tile, rng, np.full(2, side / 2), side * rng.uniform(0.3, 0.48), inks)
            for corner in ((0, 0), (0, side), (side, 0), (side, side)):
                _motif(tile, rng, np.array(corner, float), side * rng.uniform(0.15, 0.32), inks)
            for point in _spread(rng, 5, side, side):
                _disc(tile, point, rng.uniform(3, 7), inks[rng.integers(3)])
            tile[:4] = tile[-4:] = tile[:, :4] = tile[:, -4:] = (0.45, 0.42, 0.38)
            panel[row * side : (row + 1) * side, column * side : (column + 1) * side] = tile
    return np.clip(panel, 0, 1)
