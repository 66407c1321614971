"""A small made-up capture with known poses: the corner of a room with a crate, seen from an arc.

Ray casting of textured rectangles in numpy: exact perspective, parallax and occlusion in milliseconds a view.
World and cameras follow the project's conventions: OpenCV camera axes, world +y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]

WIDTH, HEIGHT, FOCAL = 480, 360, 400.0
_TEXELS = 120
"""Texels a world unit: about one a pixel at the scene's distance."""


@dataclass(frozen=True)
class Pose:
    """Where a view was taken from: camera-to-world rotation [3, 3] and centre [3]."""

    rotation: Array
    centre: Array


@dataclass(frozen=True)
class _Rectangle:
    origin: Array
    right: Array
    down: Array
    texture: Array  # [H, W, 3]


def arc(count: int, radius: float = 3.0) -> list[Pose]:
    """Cameras on an arc of 60 degrees around the crate, a little above it, looking at it."""
    target = np.array([0.0, 0.3, 0.0])
    poses = []
    for angle in np.radians(np.linspace(-30, 30, count)):
        centre = target + radius * np.array([np.sin(angle), -0.35 + 0.08 * np.sin(5 * angle), -np.cos(angle)])
        poses.append(Pose(_look(target - centre), centre))
    return poses


def on_the_spot(count: int) -> list[Pose]:
    """Cameras in one place that turn: no parallax."""
    centre = np.array([0.0, -0.7, -3.0])
    return [
        Pose(_look(np.array([np.sin(angle), 0.25, np.cos(angle)])), centre)
        for angle in np.radians(np.linspace(-12, 12, count))
    ]


def write_capture(folder: Path, poses: list[Pose], distortion: float = 0.0) -> None:
    """Writes one JPEG a pose, ``view_00.jpg`` and on, taken through a lens with COLMAP's SIMPLE_RADIAL."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = _scene()
    for number, pose in enumerate(poses):
        picture = Image.fromarray(_render(scene, pose, distortion))
        picture.save(folder / f"view_{number:02d}.jpg", quality=95)


def _look(forward: Array) -> Array:
    z = forward / np.linalg.norm(forward)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _scene() -> list[_Rectangle]:
    x, y, z = np.eye(3)
    sides = [
        (-3 * x - 2.2 * y + 1.5 * z, 6 * x, 3.2 * y),  # wall
        (-3 * x + 1.0 * y + 1.5 * z, 6 * x, -5 * z),  # floor
        (-0.6 * x - 0.1 * y - 0.5 * z, 1.2 * x, 1.1 * y),  # crate: front, top, left, right
        (-0.6 * x - 0.1 * y + 0.5 * z, 1.2 * x, -1.0 * z),
        (-0.6 * x - 0.1 * y + 0.5 * z, -1.0 * z, 1.1 * y),
        (0.6 * x - 0.1 * y - 0.5 * z, 1.0 * z, 1.1 * y),
    ]
    random = np.random.default_rng(7)
    return [_Rectangle(origin, right, down, _texture(random, right, down)) for origin, right, down in sides]


def _texture(random: np.random.Generator, right: Array, down: Array) -> Array:
    """Patches of all sizes in random colours."""
    height, width = (int(_TEXELS * np.linalg.norm(side)) for side in (down, right))
    texture = np.full((height, width, 3), 128.0)
    for patch in (64, 32, 16, 8, 4):
        shades = random.normal(0, 26, (height // patch + 1, width // patch + 1, 3))
        texture += np.repeat(np.repeat(shades, patch, 0), patch, 1)[:height, :width]
    return texture.clip(0, 255)


def _render(scene: list[_Rectangle], pose: Pose, distortion: float) -> NDArray[np.uint8]:
    down, right = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    distorted = np.stack([(right - WIDTH / 2) / FOCAL, (down - HEIGHT / 2) / FOCAL], -1)
    straight = distorted
    for _ in range(20):  # to the fixed point: straight * (1 + distortion * |straight|^2) = distorted
        straight = distorted / (1 + distortion * (straight**2).sum(-1, keepdims=True))
    rays = np.concatenate([straight, np.ones_like(straight[..., :1])], -1) @ pose.rotation.T
    nearest = np.full((HEIGHT, WIDTH), np.inf)
    picture = np.zeros((HEIGHT, WIDTH, 3))
    for side in scene:
        normal = np.cross(side.right, side.down)
        depth = (side.origin - pose.centre) @ normal / (rays @ normal)
        at = pose.centre + depth[..., None] * rays - side.origin
        u, v = at @ side.right / (side.right @ side.right), at @ side.down / (side.down @ side.down)
        hit = (depth > 0) & (depth < nearest) & (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
        picture[hit] = _sample(side.texture, u[hit], v[hit])
        nearest[hit] = depth[hit]
    return picture.round().astype(np.uint8)


def _sample(texture: Array, u: Array, v: Array) -> Array:
    """Bilinear, with u and v from 0 to 1."""
    x, y = u * (texture.shape[1] - 1), v * (texture.shape[0] - 1)
    left, top = x.astype(int), y.astype(int)
    right, bottom = np.minimum(left + 1, texture.shape[1] - 1), np.minimum(top + 1, texture.shape[0] - 1)
    fx, fy = (x - left)[:, None], (y - top)[:, None]
    upper = texture[top, left] * (1 - fx) + texture[top, right] * fx
    lower = texture[bottom, left] * (1 - fx) + texture[bottom, right] * fx
    return np.asarray(upper * (1 - fy) + lower * fy)
