"""Makes what a scene's page needs beside the compressed scene: settings, thumbnail, description.

The first view is one of the photographer's; the scene stands upright. The same input gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from splatworks_common.cameras import read_cameras
from splatworks_common.ply import read_ply
from splatworks_common.progress import Report, Update
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_streamer.first_view import Points, choose_first_view, viewer_camera
from splatworks_streamer.preview import strip_path, write_thumbnail
from splatworks_streamer.viewer_settings import viewer_settings

STEPS: Mapping[str, float] = {"view": 0.6, "thumbnail": 0.3, "describe": 0.1}

SETTINGS_NAME = "settings.json"
THUMBNAIL_NAME = "thumbnail.webp"
DESCRIPTION_NAME = "scene.json"
CONTENT_NAME = "scene.sog"

_ANTIALIASED = "antialiased"
"""The ``model`` of a SOG scene that was trained with Mip-Splatting's 2D filter."""


@dataclass(frozen=True)
class PublishedScene:
    """What a scene's page says about it; the content of ``scene.json``.

    Attributes:
        title: The scene's name for people.
        gaussians: How many Gaussians the compressed scene has.
        size_bytes: Size of ``scene.sog``.
        psnr: Mean PSNR in dB over the photos kept away from training; None where none was.
        first_view: Name of the photo through whose camera a visitor looks first.
        antialiased: Whether the viewer is to draw with Mip-Splatting's 2D filter.
    """

    title: str
    gaussians: int
    size_bytes: int
    psnr: float | None
    first_view: str
    antialiased: bool


def prepare(gaussian: Path, compressed: Path, output: Path, *, title: str, report: Report) -> PublishedScene:
    """Writes ``settings.json``, ``thumbnail.webp`` and ``scene.json`` into ``output``.

    Example:
        >>> prepare(Path("gaussian"), Path("compressed"), Path("published"), title="A fox", report=silent)

    Args:
        gaussian: The trainer's output.
        compressed: The compressor's output.
        output: An existing folder.
        title: The scene's name for people.
        report: Told after each step.

    Raises:
        InputNotFound: A file of the trainer or the compressor is missing.
        InputInvalid: Such a file is not what they write.
    """
    report(Update("view", 0, 1, "Choosing the first view"))
    points = Points.of(read_ply(_existing(gaussian / "model.ply")))
    cameras = read_cameras(_existing(gaussian / "cameras.json"))
    shown = [camera for camera in cameras if strip_path(gaussian / "renders", camera).is_file()]
    if not shown:
        raise InputNotFound(f"{gaussian.name}/renders holds no preview of any camera; train the scene again")
    first = choose_first_view(shown, points)
    _write_json(output / SETTINGS_NAME, viewer_settings(viewer_camera(first, points)))

    report(Update("thumbnail", 0, 1, "Making the thumbnail"))
    write_thumbnail(strip_path(gaussian / "renders", first), output / THUMBNAIL_NAME)

    report(Update("describe", 0, 1, "Describing the scene"))
    meta = _read_object(_existing(compressed / "meta.json"))
    scene = PublishedScene(
        title=title,
        gaussians=_gaussian_count(meta),
        size_bytes=_existing(compressed / CONTENT_NAME).stat().st_size,
        psnr=_held_out_psnr(_existing(gaussian / "metrics.json")),
        first_view=first.name,
        antialiased=meta.get("model") == _ANTIALIASED,
    )
    _write_json(output / DESCRIPTION_NAME, asdict(scene))
    report(Update("describe", 1, 1, "Described the scene"))
    return scene


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputNotFound(f"{path.parent.name}/{path.name} is missing; run the stage that writes it again")
    return path


def _gaussian_count(meta: Mapping[str, Any]) -> int:
    count = meta.get("count")
    if not isinstance(count, int) or count < 1:
        raise InputInvalid("meta.json of the compressed scene has no count of Gaussians; compress it again")
    return count


def _held_out_psnr(metrics: Path) -> float | None:
    psnr = _read_object(metrics).get("psnr")
    if psnr is not None and not isinstance(psnr, (int, float)):
        raise InputInvalid(f"the psnr in {metrics.name} is not a number; train the scene again")
    return psnr


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise InputInvalid(f"{path.name} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputInvalid(f"{path.name} is not a JSON object")
    return content


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
