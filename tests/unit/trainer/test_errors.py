"""Whose errors they are: two Gaussians side by side, and a photo that differs from one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_common.splats import SH_C0, Splats
from splatworks_trainer.engines.native import NativeEngine
from splatworks_trainer.errors import blended_errors
from splatworks_trainer.exposure import Exposures
from splatworks_trainer.views import Photos
from tests.unit.trainer.colmap_files import write_photo

SIDE = 64
CAMERA = Camera("a.png", np.eye(4), 64.0, 64.0, 32.0, 32.0, SIDE, SIDE)
LEFT, RIGHT = 0, 1
GREY = 0.5


@pytest.fixture
def engine() -> NativeEngine:
    splats = Splats(
        means=np.array([[-0.5, 0, 2], [0.5, 0, 2]], np.float32),
        log_scales=np.full((2, 3), np.log(0.1), np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (2, 1)),
        opacities=np.full(2, 5, np.float32),
        sh0=np.full((2, 3), (GREY - 0.5) / SH_C0, np.float32),
        shN=np.zeros((2, 0, 3), np.float32),
    )
    return NativeEngine(splats, capacity=2, threads=1)


def rendered(engine: NativeEngine) -> NDArray[np.uint8]:
    return np.rint(np.clip(engine.render(CAMERA), 0, 1) * 255).astype(np.uint8)


def photos(folder: Path, *pixels: NDArray[np.uint8], masks: Path | None = None) -> Photos:
    cameras = [Camera(f"{i}.png", *list(vars(CAMERA).values())[1:]) for i in range(len(pixels))]
    for camera, picture in zip(cameras, pixels, strict=True):
        write_photo(folder / camera.name, picture)
    return Photos(folder, cameras, max_side=SIDE, masks=masks)


def different_at_the_right(engine: NativeEngine) -> NDArray[np.uint8]:
    photo = rendered(engine)
    photo[:, SIDE // 2 :] = 255 - photo[:, SIDE // 2 :]
    return photo


def test_a_photo_that_is_rendered_well_has_no_error(engine: NativeEngine, tmp_path: Path) -> None:
    errors = blended_errors(engine, photos(tmp_path, rendered(engine)), [0], 1.0)

    np.testing.assert_allclose(errors, 0, atol=0.3)


def test_the_error_is_that_of_the_gaussian_it_lies_on(engine: NativeEngine, tmp_path: Path) -> None:
    errors = blended_errors(engine, photos(tmp_path, different_at_the_right(engine)), [0], 1.0)

    assert errors[RIGHT] > 10
    assert errors[LEFT] < 0.3


def test_the_errors_of_several_photos_add_up(engine: NativeEngine, tmp_path: Path) -> None:
    photo = different_at_the_right(engine)
    both = photos(tmp_path, photo, photo)

    once, twice = blended_errors(engine, both, [1], 1.0), blended_errors(engine, both, [0, 1], 1.0)

    np.testing.assert_allclose(twice, 2 * once)


def test_what_a_mask_ignores_is_no_error(engine: NativeEngine, tmp_path: Path) -> None:
    levels = np.full((SIDE, SIDE), 255, np.uint8)
    levels[:, SIDE // 2 :] = 0
    write_photo(tmp_path / "masks/0.png.png", levels)
    masked = photos(tmp_path, different_at_the_right(engine), masks=tmp_path / "masks")

    np.testing.assert_allclose(blended_errors(engine, masked, [0], 1.0), 0, atol=0.3)


def test_a_learned_exposure_is_no_error(engine: NativeEngine, tmp_path: Path) -> None:
    darker = photos(tmp_path, (rendered(engine) * 0.6).astype(np.uint8))
    exposures = Exposures(1)
    exposures.set(0, np.full(3, 0.6), np.zeros(3))

    assert blended_errors(engine, darker, [0], 1.0).min() > 5
    assert blended_errors(engine, darker, [0], 1.0, exposures).max() < 0.5


def test_a_smaller_photo_has_fewer_pixels_to_be_wrong(engine: NativeEngine, tmp_path: Path) -> None:
    photo = photos(tmp_path, different_at_the_right(engine))

    full, half = (blended_errors(engine, photo, [0], size)[RIGHT] for size in (1.0, 0.5))

    assert half == pytest.approx(full / 4, rel=0.2)
