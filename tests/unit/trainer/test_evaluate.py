from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import Camera
from splatworks_common.reasons import Internal
from splatworks_rasterizer import psnr, ssim
from splatworks_trainer.evaluate import (
    Evaluation,
    ViewQuality,
    evaluate,
    exposure_compensated,
    write_strips,
)
from splatworks_trainer.views import Photos
from tests.unit.trainer.colmap_files import write_photo
from tests.unit.trainer.pretend_engine import PretendEngine

WIDTH, HEIGHT = 64, 48
CAMERA = Camera("a.jpg", np.eye(4), 50.0, 50.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
LEFT = np.s_[:, : WIDTH // 4]
AT_THE_RIGHT = np.array([[0.3, 0.0, 1.0]])  # at pixel (47, 24)
NOWHERE = np.zeros((0, 3))
PERFECT = 100.0


@dataclass
class PaintingEngine(PretendEngine):
    """Renders one given picture."""

    picture: NDArray[np.float32] = field(default_factory=lambda: np.zeros((HEIGHT, WIDTH, 3), np.float32))

    def render(self, camera: Camera) -> NDArray[np.float32]:
        return self.picture


@pytest.fixture
def photo(tmp_path: Path) -> NDArray[np.float32]:
    """A photo of smooth random colours, lying in the folder."""
    rng = np.random.default_rng(3)
    pixels = np.asarray(
        Image.fromarray(rng.integers(50, 200, (6, 8, 3), np.uint8)).resize((WIDTH, HEIGHT)), np.uint8
    )
    write_photo(tmp_path / "a.jpg", pixels)
    return (pixels / 255).astype(np.float32)


def spoilt_at_the_left(photo: NDArray[np.float32]) -> NDArray[np.float32]:
    picture = photo.copy()
    picture[LEFT] = 1 - picture[LEFT]
    return picture


def ignore_the_left(folder: Path) -> None:
    levels = np.full((HEIGHT, WIDTH), 255, np.uint8)
    levels[LEFT] = 0
    write_photo(folder / "a.jpg.png", levels)


def quality(
    folder: Path, picture: NDArray[np.float32], known: NDArray[np.float64] | None = None
) -> ViewQuality:
    photos = Photos(folder, [CAMERA], max_side=WIDTH, masks=folder)
    return evaluate(PaintingEngine(picture=picture), photos, [0], threads=1, known=known).views[0]


def test_plain_figures_are_those_of_the_clipped_render(tmp_path: Path, photo: NDArray[np.float32]) -> None:
    picture = photo * 1.5

    measured = quality(tmp_path, picture)

    clipped = np.clip(picture, 0, 1)
    assert measured.psnr == pytest.approx(psnr(clipped, photo))
    assert measured.ssim == pytest.approx(ssim(clipped, photo))


def test_figures_beyond_the_plain_ones_are_made_only_when_asked_for(
    tmp_path: Path, photo: NDArray[np.float32]
) -> None:
    measured = quality(tmp_path, photo)

    assert (measured.compensated_psnr, measured.covered_psnr) == (None, None)


def test_another_exposure_of_each_channel_does_not_count_when_compensated(
    tmp_path: Path, photo: NDArray[np.float32]
) -> None:
    picture = photo * np.array([0.7, 0.9, 1.1], np.float32) + np.array([0.1, 0.05, -0.02], np.float32)

    measured = quality(tmp_path, picture, AT_THE_RIGHT)

    assert measured.psnr < 30
    assert measured.compensated_psnr == pytest.approx(PERFECT)
    assert measured.covered_psnr == pytest.approx(PERFECT)


def test_what_is_wrong_far_from_known_points_does_not_count_as_covered(
    tmp_path: Path, photo: NDArray[np.float32]
) -> None:
    measured = quality(tmp_path, spoilt_at_the_left(photo), AT_THE_RIGHT)

    assert measured.compensated_psnr is not None
    assert measured.compensated_psnr < 30
    assert measured.covered_psnr == pytest.approx(PERFECT)


def test_a_view_with_no_covered_pixel_has_no_covered_figure(
    tmp_path: Path, photo: NDArray[np.float32]
) -> None:
    measured = quality(tmp_path, photo, NOWHERE)

    assert measured.compensated_psnr == pytest.approx(PERFECT)
    assert measured.covered_psnr is None


def test_what_a_mask_ignores_counts_in_no_figure(tmp_path: Path, photo: NDArray[np.float32]) -> None:
    ignore_the_left(tmp_path)

    measured = quality(tmp_path, spoilt_at_the_left(photo), AT_THE_RIGHT)

    assert measured.psnr == PERFECT
    assert measured.ssim == pytest.approx(1)
    assert measured.compensated_psnr == pytest.approx(PERFECT)


def test_an_error_outside_a_mask_counts_over_what_is_left(tmp_path: Path, photo: NDArray[np.float32]) -> None:
    ignore_the_left(tmp_path)

    measured = quality(tmp_path, photo + np.float32(0.1))

    assert measured.psnr == pytest.approx(20, abs=1e-3)


def test_covered_pixels_that_a_mask_ignores_do_not_count(tmp_path: Path, photo: NDArray[np.float32]) -> None:
    ignore_the_left(tmp_path)
    at_the_left = AT_THE_RIGHT * (-1.8, 0, 1)

    assert quality(tmp_path, photo, at_the_left).covered_psnr is None


@pytest.mark.parametrize("grey", [0.0, 0.1, 0.25, 0.7])
def test_a_render_of_one_colour_is_compensated_to_the_mean_of_the_photo(grey: float) -> None:
    target = np.random.default_rng(0).random((50, 3), np.float32)

    compensated = exposure_compensated(np.full((50, 3), grey, np.float32), target)

    np.testing.assert_allclose(compensated, np.tile(target.mean(axis=0), (50, 1)), rtol=1e-5)


def test_compensation_is_the_least_squares_fit_of_each_channel() -> None:
    rng = np.random.default_rng(0)
    render, target = rng.random((2, 200, 3), np.float32)

    compensated = exposure_compensated(render, target)

    for channel in range(3):
        gain, offset = np.polyfit(render[:, channel], target[:, channel], 1)
        np.testing.assert_allclose(compensated[:, channel], gain * render[:, channel] + offset, atol=1e-5)


def test_means_are_over_the_views_that_have_the_figure() -> None:
    views = (
        ViewQuality("a", 20.0, 0.5, 21.0, 25.0),
        ViewQuality("b", 22.0, 0.7, 23.0, None),
    )

    evaluation = Evaluation(views)

    assert evaluation.psnr == 21.0
    assert evaluation.ssim == pytest.approx(0.6)
    assert evaluation.compensated_psnr == 22.0
    assert evaluation.covered_psnr == 25.0
    assert Evaluation(views[1:]).covered_psnr is None


def test_a_render_that_is_not_finite_is_refused(tmp_path: Path, photo: NDArray[np.float32]) -> None:
    with pytest.raises(Internal, match=r"the render of a\.jpg is not finite"):
        quality(tmp_path, np.full_like(photo, np.nan))


def test_a_strip_shows_no_error_where_a_mask_ignores_the_photo(
    tmp_path: Path, photo: NDArray[np.float32]
) -> None:
    ignore_the_left(tmp_path)
    photos = Photos(tmp_path, [CAMERA], max_side=WIDTH, masks=tmp_path)

    write_strips(PaintingEngine(picture=1 - photo), photos, [0], tmp_path / "renders")

    with Image.open(tmp_path / "renders" / "a.jpg") as image:
        _, _, error = np.split(np.asarray(image), 3, axis=1)
    assert error[:, : WIDTH // 4 - 8].max() < 40
    assert error[:, WIDTH // 4 + 8 :].max() > 100
