from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splatworks_common.progress import Update, silent
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_streamer.publish import STEPS, PublishedScene, prepare
from tests.unit.streamer.training_output import (
    RENDER_COLOUR,
    camera_at,
    splats_at,
    write_compressed,
    write_training,
)

SPLATS = splats_at(np.array([[0.0, 0.0, 4.0], [0.5, 0.2, 5.0]]))
CAMERAS = [camera_at("IMG_0001.jpg", (0, 0, 0)), camera_at("IMG_0002.png", (0.3, 0, 0))]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The trainer's output, the compressor's, and where to publish to."""
    gaussian, compressed, output = tmp_path / "gaussian", tmp_path / "compressed", tmp_path / "published"
    write_training(gaussian, CAMERAS, SPLATS)
    write_compressed(compressed, count=2, content=b"0123456789")
    output.mkdir()
    return gaussian, compressed, output


def test_prepare_describes_the_scene(folders: tuple[Path, Path, Path]) -> None:
    scene = prepare(*folders, title="A fox", report=silent)

    assert scene == PublishedScene(
        "A fox", gaussians=2, size_bytes=10, psnr=31.25, first_view="IMG_0001.jpg", antialiased=False
    )
    assert json.loads((folders[2] / "scene.json").read_text()) == scene.__dict__


def test_a_scene_that_is_drawn_antialiased_is_described_so(folders: tuple[Path, Path, Path]) -> None:
    (folders[1] / "meta.json").write_text(json.dumps({"version": 2, "model": "antialiased", "count": 2}))

    assert prepare(*folders, title="A fox", report=silent).antialiased


def test_prepare_writes_settings_with_the_first_view(folders: tuple[Path, Path, Path]) -> None:
    prepare(*folders, title="A fox", report=silent)

    settings = json.loads((folders[2] / "settings.json").read_text())
    assert settings["cameras"][0]["initial"]["position"] == [0, 0, 0]


def test_the_thumbnail_is_the_render_of_the_first_view(folders: tuple[Path, Path, Path]) -> None:
    prepare(*folders, title="A fox", report=silent)

    with Image.open(folders[2] / "thumbnail.webp") as thumbnail:
        pixels = np.asarray(thumbnail.convert("RGB")).astype(int)
    assert pixels.shape == (240, 320, 3)
    assert np.abs(pixels.mean(axis=(0, 1)) - RENDER_COLOUR).max() < 4


def test_a_large_thumbnail_is_reduced_to_512_pixels(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    write_training(tmp_path / "large", [camera_at("a.jpg", (0, 0, 0), size=(960, 540))], SPLATS)

    prepare(tmp_path / "large", *folders[1:], title="A fox", report=silent)

    with Image.open(folders[2] / "thumbnail.webp") as thumbnail:
        assert thumbnail.size == (512, 288)


def test_the_first_view_is_one_that_has_a_preview(folders: tuple[Path, Path, Path]) -> None:
    (folders[0] / "renders" / "IMG_0001.jpg").unlink()

    assert prepare(*folders, title="A fox", report=silent).first_view == "IMG_0002.png"


@pytest.mark.parametrize("name", ["a.png", "day 1/a.jpg"])
def test_a_photo_of_any_name_can_be_the_first_view(
    folders: tuple[Path, Path, Path], tmp_path: Path, name: str
) -> None:
    write_training(tmp_path / "odd", [camera_at(name, (0, 0, 0))], SPLATS)

    assert prepare(tmp_path / "odd", *folders[1:], title="A fox", report=silent).first_view == name


def test_the_same_input_gives_the_same_bytes(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()

    prepare(*folders, title="A fox", report=silent)
    prepare(*folders[:2], again, title="A fox", report=silent)

    names = sorted(path.name for path in again.iterdir())
    assert names == ["scene.json", "settings.json", "thumbnail.webp"]
    assert all((again / name).read_bytes() == (folders[2] / name).read_bytes() for name in names)


def test_a_scene_without_held_out_photos_has_no_psnr(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    write_training(tmp_path / "few", CAMERAS, SPLATS, psnr=None)

    assert prepare(tmp_path / "few", *folders[1:], title="A fox", report=silent).psnr is None


def test_progress_names_only_the_declared_steps(folders: tuple[Path, Path, Path]) -> None:
    updates: list[Update] = []

    prepare(*folders, title="A fox", report=updates.append)

    assert {update.step for update in updates} == set(STEPS)
    assert sum(STEPS.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", ["model.ply", "cameras.json", "metrics.json"])
def test_a_missing_file_of_the_trainer_is_named(folders: tuple[Path, Path, Path], name: str) -> None:
    (folders[0] / name).unlink()

    with pytest.raises(InputNotFound, match=f"gaussian/{name} is missing"):
        prepare(*folders, title="A fox", report=silent)


def test_a_missing_scene_is_named(folders: tuple[Path, Path, Path]) -> None:
    (folders[1] / "scene.sog").unlink()

    with pytest.raises(InputNotFound, match=r"compressed/scene\.sog is missing"):
        prepare(*folders, title="A fox", report=silent)


@pytest.mark.parametrize("meta", ["not json", "[]", "{}", '{"count": "many"}'])
def test_a_scene_without_a_count_is_refused(folders: tuple[Path, Path, Path], meta: str) -> None:
    (folders[1] / "meta.json").write_text(meta)

    with pytest.raises(InputInvalid, match=r"meta\.json"):
        prepare(*folders, title="A fox", report=silent)


def test_a_training_without_previews_is_refused(folders: tuple[Path, Path, Path]) -> None:
    for strip in (folders[0] / "renders").iterdir():
        strip.unlink()

    with pytest.raises(InputNotFound, match="no preview"):
        prepare(*folders, title="A fox", report=silent)


@pytest.mark.parametrize("content", [b"not a picture", None], ids=["broken", "of two panels"])
def test_a_strip_that_is_none_is_refused(folders: tuple[Path, Path, Path], content: bytes | None) -> None:
    strip = folders[0] / "renders" / "IMG_0001.jpg"
    if content is None:
        Image.new("RGB", (640, 240)).save(strip)
    else:
        strip.write_bytes(content)

    with pytest.raises(InputInvalid, match=r"renders/IMG_0001\.jpg"):
        prepare(*folders, title="A fox", report=silent)
