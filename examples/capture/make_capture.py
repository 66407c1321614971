"""Makes the sample capture: photographs of a still life in a walled courtyard, path-traced with Blender.

Writes ``IMG_0001.jpg`` ... and ``cameras.json``, the cameras as they truly were. Everything in the pictures
is generated from ``SEED``; no file is loaded. Renders that are already there are kept, so an interrupted run
goes on where it stopped.

Not a part of Splatworks' installation: README.md says what it needs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import bpy
import numpy as np
from courtyard import architecture, garden, still_life
from courtyard.mesh import Floats, turn
from mathutils import Matrix
from PIL import ExifTags, Image

SEED = 2024
PHOTOS = 36
WIDTH, HEIGHT = 864, 648
FOCAL_35MM = 28.0
"""Focal length in millimetres, as if on 35 mm film, by the picture's diagonal."""
FOCAL = 4.56
"""The focal length of a telephone's lens with that angle of view, millimetres."""
SAMPLES = 8
"""Light paths per pixel, before denoising."""
THREADS = 2

RADIUS = 2.15
"""Mean distance of the walk from the table's middle, metres."""
EYE = 1.54
"""Mean height of the camera, metres."""
AIM = (0.0, 0.0, 0.72)
"""What the photographer looks at, metres."""

SUN_ELEVATION, SUN_AZIMUTH = 52.0, 205.0
"""Direction towards the sun, degrees; the azimuth is counted clockwise from north (+y)."""
SUN_STRENGTH = 4.2
SUN_DIAMETER = 1.2
"""Apparent diameter in degrees: a little haze softens the shadows' edges."""
SKY_STRENGTH = 0.29
EXPOSURE = 0.38
"""Stops."""

FIRST_SHOT = datetime(2024, 9, 14, 15, 12, 8)
MAKE, MODEL = "Splatworks", "Sample Camera"
JPEG_QUALITY = 77


@dataclass(frozen=True)
class Shot:
    """One photo to take: file name, moment, and the world-to-camera transform (OpenCV axes) ``[4, 4]``."""

    name: str
    taken: datetime
    viewmat: Floats


def main() -> None:
    """Renders what is missing, then writes the photos and the cameras."""
    options = _arguments()
    options.renders.mkdir(parents=True, exist_ok=True)
    options.output.mkdir(parents=True, exist_ok=True)
    shots = walk(np.random.default_rng(SEED))
    chosen = [shot for shot in shots if not options.only or int(shot.name[4:8]) in options.only]
    missing = [shot for shot in chosen if not _render_path(options.renders, shot).exists()]
    if missing:
        _build(options.samples, options.scale)
    for shot in missing:
        _render(_render_path(options.renders, shot), shot)
        print(f"rendered {shot.name}", flush=True)
    for shot in chosen:
        _encode(_render_path(options.renders, shot), options.output / shot.name, shot)
    write_cameras(options.output / "cameras.json", chosen, options.scale)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes the sample capture.")
    parser.add_argument(
        "renders", type=Path, help="folder for the renders as PNG; those already there are kept"
    )
    parser.add_argument("output", type=Path, help="folder for the photos and cameras.json")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="light paths per pixel")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the photos, for previews")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the photos to take, for previews")
    return parser.parse_args()


def _render_path(renders: Path, shot: Shot) -> Path:
    return renders / Path(shot.name).with_suffix(".png").name


def _build(samples: int, scale: float) -> None:
    """Fills an empty Blender scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rng = np.random.default_rng(SEED + 1)
    for part in (architecture, still_life, garden):
        part.build(rng)
    _light()
    _settings(samples, scale)


def walk(rng: np.random.Generator) -> list[Shot]:
    """One round about the table, ten degrees a step, with an unsteady hand; a few steps nearer."""
    shots = []
    taken = FIRST_SHOT
    for number in range(PHOTOS):
        angle = 2 * np.pi * (number + rng.uniform(-0.12, 0.12)) / PHOTOS + 0.6
        nearer = 0.24 * np.sin(1.5 * angle + 0.4) ** 2
        radius = RADIUS + 0.12 * np.sin(2 * angle + 1.0) - nearer + rng.uniform(-0.05, 0.05)
        height = EYE + 0.07 * np.sin(2 * angle) + rng.uniform(-0.06, 0.06)
        centre = np.array([radius * np.cos(angle), radius * np.sin(angle), height])
        aim = np.asarray(AIM) + rng.uniform((-0.13, -0.13, -0.05), (0.13, 0.13, 0.05))
        shots.append(Shot(f"IMG_{number + 1:04d}.jpg", taken, look_at(centre, aim, rng.normal(scale=0.8))))
        taken += timedelta(seconds=int(rng.integers(3, 8)))
    return shots


def look_at(centre: Floats, aim: Floats, roll: float) -> Floats:
    """The world-to-camera transform ``[4, 4]`` (OpenCV axes) of a camera that leans by ``roll`` degrees."""
    forward = (aim - centre) / np.linalg.norm(aim - centre)
    right = np.cross(forward, (0, 0, 1))
    right /= np.linalg.norm(right)
    rotation = turn(z=roll) @ np.stack([right, np.cross(forward, right), forward])
    viewmat = np.eye(4)
    viewmat[:3, :3], viewmat[:3, 3] = rotation, -rotation @ centre
    return viewmat


def focal_pixels() -> float:
    """The focal length in pixels of a full-size photo."""
    return FOCAL_35MM * float(np.hypot(WIDTH, HEIGHT)) / float(np.hypot(36, 24))


def write_cameras(path: Path, shots: list[Shot], scale: float) -> None:
    """Writes the true cameras in the format of ``splatworks_common.cameras.write_cameras``."""
    width, height = round(WIDTH * scale), round(HEIGHT * scale)
    rows = [
        {
            "name": shot.name,
            "viewmat": shot.viewmat.tolist(),
            "fx": focal_pixels() * scale,
            "fy": focal_pixels() * scale,
            "cx": width / 2,
            "cy": height / 2,
            "width": width,
            "height": height,
            "held_out": False,
        }
        for shot in shots
    ]
    path.write_text(json.dumps({"version": 1, "cameras": rows}, indent=1) + "\n")


def _light() -> None:
    """Sun and clear sky, from the same direction."""
    scene = bpy.context.scene
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle, sun.color = SUN_STRENGTH, np.radians(SUN_DIAMETER), (1.0, 0.93, 0.82)
    lamp = bpy.data.objects.new("sun", sun)
    # A lamp shines along its own -z.
    lamp.rotation_euler = (np.radians(90 - SUN_ELEVATION), 0, np.radians(180 - SUN_AZIMUTH))
    scene.collection.objects.link(lamp)
    scene.world = bpy.data.worlds.new("sky")
    scene.world.use_nodes = True
    nodes, links = scene.world.node_tree.nodes, scene.world.node_tree.links
    sky = nodes.new("ShaderNodeTexSky")
    sky.sky_type, sky.sun_disc = "NISHITA", False
    sky.sun_elevation, sky.sun_rotation = np.radians(SUN_ELEVATION), np.radians(SUN_AZIMUTH)
    links.new(sky.outputs[0], nodes["Background"].inputs[0])
    nodes["Background"].inputs[1].default_value = SKY_STRENGTH


def _settings(samples: int, scale: float) -> None:
    scene = bpy.context.scene
    camera = bpy.data.cameras.new("camera")
    camera.sensor_fit, camera.sensor_width = "HORIZONTAL", 36.0
    camera.lens = 36.0 * focal_pixels() / WIDTH
    camera.clip_start = 0.05
    scene.camera = bpy.data.objects.new("camera", camera)
    scene.collection.objects.link(scene.camera)
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y, render.resolution_percentage = (
        round(WIDTH * scale),
        round(HEIGHT * scale),
        100,
    )
    render.threads_mode, render.threads = "FIXED", THREADS
    render.use_persistent_data = True
    render.image_settings.file_format = "PNG"
    render.image_settings.compression = 15
    cycles = scene.cycles
    cycles.samples, cycles.seed = samples, SEED
    cycles.use_adaptive_sampling = False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "ACCURATE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces, cycles.transmission_bounces = (
        3,
        2,
        1,
        1,
    )
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.5
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.view_settings.exposure = EXPOSURE


def _render(path: Path, shot: Shot) -> None:
    """Renders one photo to a PNG, whole or not at all."""
    scene = bpy.context.scene
    # Blender's camera looks along -z with y up.
    pose = np.linalg.inv(shot.viewmat) @ np.diag([1.0, -1.0, -1.0, 1.0])
    scene.camera.matrix_world = Matrix(pose.tolist())
    part = path.with_suffix(".part.png")
    scene.render.filepath = str(part)
    bpy.ops.render.render(write_still=True)
    part.rename(path)


def _encode(render: Path, photo: Path, shot: Shot) -> None:
    """Writes a render as a JPEG with the EXIF of a camera."""
    exif = Image.Exif()
    stamp = shot.taken.strftime("%Y:%m:%d %H:%M:%S")
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = MAKE, MODEL
    exif[ExifTags.Base.Orientation] = 1
    exif[ExifTags.Base.DateTime] = stamp
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = stamp
    details[ExifTags.Base.FocalLength] = FOCAL
    details[ExifTags.Base.FocalLengthIn35mmFilm] = round(FOCAL_35MM)
    with Image.open(render) as image:
        image.convert("RGB").save(
            photo, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True, exif=exif
        )


if __name__ == "__main__":
    main()
