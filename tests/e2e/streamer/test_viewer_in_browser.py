"""A scene's page in a real browser: what a visitor sees, and what the page must never do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from tests.e2e.streamer.browser import LOAD_SECONDS, chromium, screenshot, watched_page
from tests.e2e.streamer.conftest import BlobScene, published
from tests.unit.streamer.training_output import RENDER_COLOUR

pytestmark = pytest.mark.timeout(240)

_OFF_BY_PIXELS = 3.0
_FAR_BELOW_A_PIXEL = 0.003


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def centre_of(colour: tuple[int, int, int], picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The centre of the pixels of roughly that colour, x and y in pixels; NaN where there is none."""
    alike = np.abs(picture.astype(int) - colour).max(axis=2) < 70
    rows, columns = np.nonzero(alike)
    if not len(rows):
        return np.array([np.nan, np.nan])
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def test_first_view_is_the_photographers_and_upright(blob_scene: BlobScene) -> None:
    picture = screenshot(blob_scene.url, blob_scene.camera.width, blob_scene.camera.height)

    assert picture.shape == (blob_scene.camera.height, blob_scene.camera.width, 3)
    seen = {colour: centre_of(colour, picture) for colour in blob_scene.blobs.values()}
    expected = {colour: np.array(place) for place, colour in blob_scene.blobs.items()}
    errors = {colour: np.linalg.norm(seen[colour] - expected[colour]) for colour in expected}
    assert all(error < _OFF_BY_PIXELS for error in errors.values()), (seen, expected)


def test_scene_page_shows_its_first_frame_without_a_complaint(
    blob_scene: BlobScene, browser: Browser
) -> None:
    with watched_page(browser, 480, 320) as watched:
        watched.open_scene(f"{blob_scene.url}?webgl")
        picture = watched.pixels()

    assert watched.complaints == []
    assert watched.foreign == []
    assert picture.std() > 5


def test_a_scene_trained_antialiased_is_drawn_so(browser: Browser, tmp_path: Path) -> None:
    brightness = {}
    for antialiased in (False, True):
        folder = tmp_path / str(antialiased)
        with (
            published(folder, _FAR_BELOW_A_PIXEL, antialiased=antialiased) as scene,
            watched_page(browser, 320, 240) as watched,
        ):
            watched.open_scene(f"{scene.url}?webgl&noui")
            brightness[antialiased] = int(watched.pixels().max())

    assert 0 < brightness[True] < 0.5 * brightness[False]


def test_the_query_can_not_make_the_page_load_anything_else(blob_scene: BlobScene, browser: Browser) -> None:
    elsewhere = "https://splats.invalid/x"
    names = ("content", "settings", "poster", "skybox", "collision", "voxel")
    query = "&".join(f"{name}={elsewhere}" for name in names)

    with watched_page(browser, 320, 240) as watched:
        watched.open_scene(f"{blob_scene.url}?webgl&noui&{query}")
        picture = watched.pixels()

    assert watched.foreign == []
    assert watched.complaints == []
    assert np.isfinite(centre_of((255, 255, 255), picture)).all()


def test_a_scene_that_can_not_be_loaded_is_explained(blob_scene: BlobScene, browser: Browser) -> None:
    with watched_page(browser, 480, 320) as watched:
        watched.page.route("**/scene.sog", lambda route: route.fulfill(status=503))
        watched.open(f"{blob_scene.url}?webgl")
        problem = watched.page.get_by_role("alert")
        problem.wait_for(timeout=LOAD_SECONDS * 1000)

        assert "is not available (503)" in problem.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_shows_the_thumbnail_and_leads_to_the_scene(
    blob_scene: BlobScene, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    with watched_page(browser, 480, 320) as watched:
        watched.page.emulate_media(color_scheme=scheme)
        watched.open(blob_scene.url.removesuffix("s/blobs/"))
        picture = watched.pixels()
        link = watched.page.get_by_role("link", name="Five blobs").get_attribute("href")

    assert (picture.mean() > 128) == (scheme == "light")
    assert np.isfinite(centre_of(RENDER_COLOUR, picture)).all()
    assert link == "/s/blobs/"
    assert watched.complaints == []
    assert watched.foreign == []
