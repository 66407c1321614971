"""The sample capture through the whole path, against its ground truth and in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splatworks_common.cameras import Camera, read_cameras
from tests.e2e.operator.conftest import Run
from tests.e2e.streamer.browser import chromium, levelled, screenshot, watched_page

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sample") / "out"


@pytest.fixture(scope="module")
def served(repository: Path, out: Path) -> Iterator[str]:
    """The URL of the sample's scene while it is served."""
    run = Run(str(repository / "examples" / "capture"), "-o", str(out), "--serve", "--hold-out-every", "8")
    try:
        run.wait_for("Ctrl-C stops", seconds=600)
        yield run.viewer_url()
    finally:
        run.close()


def found_and_true(out: Path, truth: Path) -> tuple[list[Camera], list[Camera]]:
    """The cameras that were found and the true ones, in the same order."""
    photos = json.loads((out / "colmap" / "report.json").read_text())["photos"]
    originals = {photo["name"]: photo["original"] for photo in photos}
    true = {camera.name: camera for camera in read_cameras(truth)}
    found = read_cameras(out / "gaussian" / "cameras.json")
    return found, [true[originals[camera.name]] for camera in found]


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation and translation that take ``source [N, 3]`` to ``target`` (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(b.T @ a)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ flip @ vt
    scale = (singular * np.diag(flip)).sum() / (a**2).sum()
    return scale, rotation, target.mean(0) - scale * rotation @ source.mean(0)


def degrees_between(a: np.ndarray, b: np.ndarray) -> float:
    """The angle of the rotation that takes ``a`` to ``b``, both ``[3, 3]``."""
    return float(np.degrees(np.arccos(np.clip((np.trace(a @ b.T) - 1) / 2, -1, 1))))


def test_every_photo_of_the_sample_is_registered(served, out):
    report = json.loads((out / "colmap" / "report.json").read_text())
    assert report["registered"] == report["photos_in"]


def test_the_sample_s_cameras_are_where_they_truly_were(served, out, repository):
    found, true = found_and_true(out, repository / "examples" / "capture" / "cameras.json")
    centres = np.array([camera.position for camera in found])
    true_centres = np.array([camera.position for camera in true])
    scale, rotation, translation = similarity(centres, true_centres)
    extent = np.linalg.norm(np.ptp(true_centres, axis=0))
    errors = np.linalg.norm(scale * centres @ rotation.T + translation - true_centres, axis=1) / extent
    turns = [
        degrees_between(a.viewmat[:3, :3] @ rotation.T, b.viewmat[:3, :3])
        for a, b in zip(found, true, strict=True)
    ]
    assert errors.max() <= 0.005
    assert max(turns) <= 0.5


def test_the_sample_reaches_its_quality(served, out):
    metrics = json.loads((out / "gaussian" / "metrics.json").read_text())
    assert metrics["psnr"] >= 30


def test_compression_keeps_the_quality_at_a_twelfth_of_the_size(served, out):
    summary = json.loads((out / "compressed" / "summary.json").read_text())
    assert summary["fidelity"]["psnr"] >= 41
    assert summary["psnr_loss"] <= 0.35  # against photos that the polish has seen
    assert summary["ratio"] >= 12


def test_the_browser_shows_the_photographer_s_first_view(served, out):
    name = json.loads((out / "published" / "scene.json").read_text())["first_view"]
    camera = next(view for view in read_cameras(out / "gaussian" / "cameras.json") if view.name == name)
    size = (camera.width, camera.height)
    with Image.open(out / "colmap" / "dense" / "images" / name) as photo:
        expected, covered = levelled(np.asarray(photo.convert("RGB").resize(size)), camera)
    shown = screenshot(served, *size)
    error = (shown[covered].astype(float) - expected[covered]) / 255
    assert -10 * np.log10(np.mean(error**2)) >= 18


def test_the_page_complains_of_nothing_and_asks_no_other_host(served):
    with chromium() as browser, watched_page(browser, 480, 360) as watched:
        watched.open_scene(f"{served}?webgl")
        complaints, foreign = watched.complaints, watched.foreign
    assert complaints == []
    assert foreign == []
