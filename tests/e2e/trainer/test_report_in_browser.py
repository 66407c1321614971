"""The report in a real browser, opened from disk: what a reader sees, and what the page must never do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from splatworks_trainer.report import write_report
from tests.e2e.streamer.browser import WatchedPage, chromium, watched_page
from tests.unit.trainer.finished_run import PHOTO, RENDER, write_run

pytestmark = pytest.mark.timeout(240)

HOSTILE = '<img src="https://splats.invalid/x" onerror="document.title = 1">.jpg'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def report(browser: Browser, tmp_path: Path) -> Iterator[WatchedPage]:
    """The report of a run with a photo of a hostile name, and the requests it made."""
    write_run(tmp_path, photos=[HOSTILE, "b.jpg"], events=[{"event": HOSTILE, "seconds": 1.0}])
    with watched_page(browser, 1000, 900) as watched:
        watched.open(write_report(tmp_path).as_uri())
        yield watched


def shares_of_colours(watched: WatchedPage) -> tuple[float, float]:
    """How much of the first picture shows the photo, and how much the render."""
    compare = watched.page.locator(".compare").first
    compare.scroll_into_view_if_needed()
    box = compare.bounding_box()
    assert box is not None
    left, top, width, height = (round(box[side]) for side in ("x", "y", "width", "height"))
    row = watched.pixels()[top + height // 2, left : left + width].astype(int)
    photo, render = (float((np.abs(row - colour).max(axis=1) < 40).mean()) for colour in (PHOTO, RENDER))
    return photo, render


def test_it_loads_nothing_and_complains_of_nothing(report: WatchedPage):
    assert report.complaints == []
    assert report.foreign == []
    assert (
        report.page.evaluate(
            "performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length"
        )
        == 0
    )


def test_a_hostile_name_is_shown_as_text(report: WatchedPage):
    assert report.page.title() == "Training report"
    assert report.page.get_by_role("heading", name=HOSTILE).count() == 1
    assert report.page.locator("img[onerror]").count() == 0


def test_at_first_half_of_the_photo_is_seen(report: WatchedPage):
    photo, render = shares_of_colours(report)

    assert photo == pytest.approx(0.5, abs=0.05)
    assert render == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("key", "photo", "render"), [("Home", 0.0, 1.0), ("End", 1.0, 0.0)])
def test_the_keyboard_moves_the_divider(report: WatchedPage, key: str, photo: float, render: float):
    report.page.locator(".divider").first.focus()
    report.page.keyboard.press(key)

    assert shares_of_colours(report) == pytest.approx((photo, render), abs=0.05)


def test_the_pointer_moves_the_divider(report: WatchedPage):
    divider = report.page.locator(".divider").first
    divider.scroll_into_view_if_needed()
    box = divider.bounding_box()
    assert box is not None
    report.page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)

    assert shares_of_colours(report) == pytest.approx((0.8, 0.2), abs=0.06)


def test_a_chart_says_its_values_under_the_pointer_and_to_the_keyboard(report: WatchedPage):
    chart = report.page.locator(".chart").first
    said = report.page.locator("output").first
    box = chart.bounding_box()
    assert box is not None
    chart.hover(position={"x": box["width"] - 20, "y": box["height"] / 2})
    under_the_pointer = said.inner_text()
    report.page.mouse.move(0, 0)
    chart.focus()
    report.page.keyboard.press("ArrowLeft")

    assert under_the_pointer == "25.00 dB at step 100 (1 min 02 s)"
    assert said.inner_text() == "22.50 dB at step 50 (27.0 s)"


@pytest.mark.parametrize("width", [320, 1600])
def test_nothing_is_wider_than_the_window(report: WatchedPage, width: int):
    report.page.set_viewport_size({"width": width, "height": 700})

    assert report.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "bright"), [("light", True), ("dark", False)])
def test_it_follows_the_readers_choice_of_dark_and_light(report: WatchedPage, scheme: str, bright: bool):
    report.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]

    assert (report.pixels()[5, 5].mean() > 128) == bright
