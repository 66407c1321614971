"""The measured loss: which views are looked at, and what the figures say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splatworks_common.cameras import Camera
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_compressor.quality import MAX_PSNR, Fidelity, chosen_views, measure
from splatworks_rasterizer import render
from tests.unit.compressor.scenes import circle_of_cameras, random_splats

SPLATS = random_splats(200)


def measured(
    decoded_scale: float, cameras: list[Camera], photos: Path | None, *, antialiased: bool = False
) -> Fidelity:
    decoded = replace(SPLATS, sh0=SPLATS.sh0 * np.float32(decoded_scale))
    return measure(
        SPLATS,
        decoded,
        cameras,
        photos,
        antialiased=antialiased,
        max_views=4,
        threads=1,
        progress=lambda done, total: None,
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos that are renders of the original scene."""
    for camera in circle_of_cameras(8):
        picture = np.clip(render(SPLATS, camera, threads=1), 0, 1)
        Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(tmp_path / camera.name)
    return tmp_path


def test_all_held_out_views_are_chosen_and_others_fill_up() -> None:
    cameras = circle_of_cameras(20, hold_out_every=8)

    chosen = chosen_views(cameras, 5)

    assert [camera.name for camera in chosen] == ["00.png", "08.png", "16.png", "01.png", "10.png"]


def test_held_out_views_are_never_left_out() -> None:
    assert len(chosen_views(circle_of_cameras(20, hold_out_every=4), 1)) == 5


def test_no_more_views_than_cameras() -> None:
    assert len(chosen_views(circle_of_cameras(3), 16)) == 3


def test_equal_scenes_have_a_finite_psnr_and_no_loss(photos: Path) -> None:
    fidelity = measured(1.0, circle_of_cameras(8), photos)

    assert fidelity.psnr == MAX_PSNR
    assert fidelity.psnr_loss == 0


def test_a_scene_is_compared_as_it_is_drawn(photos: Path) -> None:
    figures = {
        antialiased: measured(1.0, circle_of_cameras(8, hold_out_every=2), photos, antialiased=antialiased)
        for antialiased in (False, True)
    }

    as_usual, faded = (figures[antialiased].photo_psnr_before for antialiased in (False, True))
    assert as_usual is not None
    assert faded is not None
    assert faded < as_usual - 3


def test_changed_scene_has_a_loss(photos: Path) -> None:
    fidelity = measured(0.5, circle_of_cameras(8), photos)

    assert fidelity.psnr < 40
    assert fidelity.psnr_loss is not None
    assert fidelity.psnr_loss > 1


def test_held_out_figures_need_photos() -> None:
    fidelity = measured(0.5, circle_of_cameras(8), None)

    assert fidelity.psnr < 40
    assert (fidelity.photo_views, fidelity.psnr_loss) == (0, None)


def test_held_out_figures_need_held_out_cameras(photos: Path) -> None:
    assert measured(0.5, circle_of_cameras(8, hold_out_every=0), photos).psnr_loss is None


def test_missing_photo_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"00\.png"):
        measured(1.0, circle_of_cameras(8), tmp_path)


def test_broken_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "00.png").write_bytes(b"no picture")

    with pytest.raises(InputInvalid, match=r"00\.png"):
        measured(1.0, circle_of_cameras(8), tmp_path)
