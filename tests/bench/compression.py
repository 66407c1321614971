"""Prints what the compressor makes of trained scenes, beside splat-transform: bytes, quality and time.

    python -m tests.bench.compression [GAUSSIAN...] [--photos FOLDER] [--peer-seconds 600]

GAUSSIAN is a trainer's output (``model.ply`` with ``cameras.json``), or a single .ply, .compressed.ply or
.spz file, which is rendered from a circle of cameras. ``--photos`` is the folder of the photos that
``cameras.json`` names. Without GAUSSIAN it is the wolf in ``../shared/data``.

Times are wall and CPU seconds of the encoding alone, without measuring. splat-transform runs one round of
k-means on the CPU (its default of ten takes ten times as long and was measured no better) and is ended after
``--peer-seconds``.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from splatworks_common.cameras import Camera, read_cameras
from splatworks_common.ply import is_antialiased, read_ply, write_ply
from splatworks_common.progress import silent
from splatworks_common.splats import Splats
from splatworks_compressor.compress import compress
from splatworks_compressor.config import CompressOptions, Quality
from splatworks_compressor.quality import Fidelity, measure
from splatworks_compressor.sog import read_sog
from tests.npm import peers

THREADS = 2
VIEWS = 16
WOLF = Path(__file__).resolve().parents[3] / "shared" / "data" / "splats" / "wolf.spz"


@dataclass(frozen=True)
class Scene:
    """One scene to compress: a folder with ``model.ply``, its table, how it is drawn and from where."""

    name: str
    folder: Path
    splats: Splats
    antialiased: bool
    cameras: list[Camera]
    photos: Path | None


def main() -> None:
    """Prints one table for each scene."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gaussian", nargs="*", type=Path, default=[WOLF])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--peer-seconds", type=float, default=600)
    arguments = parser.parse_args()
    peers.install()
    for path in arguments.gaussian:
        with tempfile.TemporaryDirectory() as scratch:
            print_table(opened(path, arguments.photos, Path(scratch)), arguments.peer_seconds)


def opened(path: Path, photos: Path | None, scratch: Path) -> Scene:
    """A scene with its model as a float PLY in ``scratch``, where nothing else lies."""
    model, antialiased = scratch / "model.ply", False
    if path.is_dir():
        splats, antialiased = read_ply(path / "model.ply"), is_antialiased(path / "model.ply")
        cameras = read_cameras(path / "cameras.json")
    else:
        peers.splat_transform(path, scratch / "converted.ply")
        splats = read_ply(scratch / "converted.ply")
        cameras = circle_around(splats)
    write_ply(model, splats, antialiased=antialiased)
    return Scene(path.stem, scratch, splats, antialiased, cameras, photos if path.is_dir() else None)


def circle_around(splats: Splats, size: int = 400) -> list[Camera]:
    """Cameras at several heights that look at the middle of the scene."""
    solid = splats.means[splats.opacities > -2].astype(np.float64)
    middle = np.median(solid, axis=0)
    distance = 1.9 * np.percentile(np.linalg.norm(solid - middle, axis=1), 97)
    cameras = []
    for i in range(VIEWS):
        angle, height = 2 * np.pi * i / VIEWS, (0.15, 0.45, -0.2, 0.8)[i % 4]
        direction = np.array([np.cos(angle) * np.cos(height), np.sin(height), np.sin(angle) * np.cos(height)])
        right = np.cross(-direction, [0, 1, 0])
        right /= np.linalg.norm(right)
        viewmat = np.eye(4)
        viewmat[:3, :3] = [right, np.cross(-direction, right), -direction]
        viewmat[:3, 3] = -viewmat[:3, :3] @ (middle + distance * direction)
        cameras.append(Camera(f"{i}", viewmat, size, size, size / 2, size / 2, size, size))
    return cameras


def print_table(scene: Scene, peer_seconds: float) -> None:
    """Compresses a scene in each way and prints a row for each."""
    model_bytes = (scene.folder / "model.ply").stat().st_size
    print(
        f"\n{scene.name}: {len(scene.splats)} Gaussians, SH degree {scene.splats.sh_degree}, "
        f"model.ply {model_bytes} bytes\n"
        f"{'encoder':24}{'bytes':>10}{'B/Gauss.':>10}{'ratio':>8}{'PSNR dB':>9}{'loss dB':>9}"
        f"{'wall s':>8}{'CPU s':>8}"
    )
    for quality in Quality:
        options = CompressOptions(quality=quality)
        output = scene.folder / quality
        row(
            scene,
            f"splatworks {quality}",
            output / "scene.sog",
            partial(ours, scene, output, options),
        )
    output = scene.folder / "peer.sog"
    try:
        row(scene, "splat-transform -i 1", output, partial(theirs, scene, output, peer_seconds))
    except subprocess.TimeoutExpired:
        print(f"{'splat-transform -i 1':24}  not ready after {peer_seconds:.0f} s")


def ours(scene: Scene, output: Path, options: CompressOptions) -> None:
    """Compresses without measuring, as the folder holds no cameras."""
    compress(scene.folder, None, output, options, silent, THREADS)


def theirs(scene: Scene, output: Path, seconds: float) -> None:
    """Compresses with the peer."""
    peers.splat_transform("-i", "1", scene.folder / "model.ply", output, seconds=seconds)


def row(scene: Scene, name: str, output: Path, encode: Callable[[], None]) -> None:
    """Encodes, decodes, measures and prints."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    encode()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    fidelity = quality_of(scene, output)
    loss = "" if fidelity.psnr_loss is None else f"{fidelity.psnr_loss:.3f}"
    size = output.stat().st_size
    ratio = (scene.folder / "model.ply").stat().st_size / size
    print(
        f"{name:24}{size:10}{size / len(scene.splats):10.2f}{ratio:8.1f}{fidelity.psnr:9.2f}{loss:>9}"
        f"{wall:8.1f}{cpu:8.1f}",
        flush=True,
    )


def quality_of(scene: Scene, output: Path) -> Fidelity:
    """What a viewer of the file would see, against the original and the photos."""
    return measure(
        scene.splats,
        read_sog(output),
        scene.cameras,
        scene.photos,
        antialiased=scene.antialiased,
        max_views=VIEWS,
        threads=THREADS,
        progress=lambda done, total: None,
    )


def cpu_seconds() -> float:
    """User and system time of this process and of the children it has waited for."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
