"""Headless Chromium on a machine without a GPU.

Needs Debian's ``chromium`` (or another on PATH) and the ``playwright`` package; no browser is downloaded.
WebGL runs in software; WebGPU does not, so pages are opened with ``?webgl``.
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from splatworks_common.cameras import Camera
from splatworks_streamer.first_view import roll

LOAD_SECONDS = 90

_FLAGS = (
    "--no-sandbox",
    "--headless=new",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
)
_TELL_FIRST_FRAME = "window.firstFrame = () => { window.firstFrameShown = true; };"


class WatchedPage:
    """A page, and what a good page never does: complain, or ask another host.

    Attributes:
        page: Playwright's page.
        complaints: Errors and warnings of the console, uncaught exceptions, failed requests.
        foreign: Addresses of requests to other hosts than that of the first page.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self._host = ""
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        page.on("request", lambda request: self._asked(request.url))

    def open(self, url: str) -> None:
        """Opens a page and waits until it has loaded."""
        self._host = urlsplit(url).netloc
        self.page.goto(url, wait_until="load")

    def open_scene(self, url: str) -> None:
        """Opens a scene's page and waits until its first frame is on the screen."""
        self.page.add_init_script(_TELL_FIRST_FRAME)
        self.open(url)
        self.page.wait_for_function("() => window.firstFrameShown", timeout=LOAD_SECONDS * 1000)

    def pixels(self) -> NDArray[np.uint8]:
        """What the page shows, ``[H, W, 3]``."""
        with Image.open(io.BytesIO(self.page.screenshot())) as image:
            return np.asarray(image.convert("RGB"))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data") and parts.netloc != self._host:
            self.foreign.append(url)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser; the test is skipped where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs chromium on PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=False, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched_page(browser: Browser, width: int, height: int) -> Iterator[WatchedPage]:
    """A page of that many pixels, in a context of its own."""
    context = browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=1)
    try:
        yield WatchedPage(context.new_page())
    finally:
        context.close()


def levelled(photo: NDArray[np.uint8], camera: Camera) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A photo as the viewer shows its view: turned so that the camera stands upright.

    Args:
        photo: ``[H, W, 3]`` at the camera's size.
        camera: The photo's camera.

    Returns:
        The turned photo, ``[H, W, 3]``, and where it shows anything, ``[H, W]``.
    """
    degrees = -math.degrees(roll(camera))
    turned = Image.fromarray(photo).rotate(degrees, Image.Resampling.BICUBIC)
    covered = Image.new("L", turned.size, 255).rotate(degrees, Image.Resampling.NEAREST)
    return np.asarray(turned), np.asarray(covered) > 0


def screenshot(url: str, width: int, height: int) -> NDArray[np.uint8]:
    """The first view of a scene and nothing else, as a photo of that size would show it.

    Args:
        url: The scene's page, without a query.
        width: Pixels; with ``height`` in the proportions of the photo, the field of view is the photo's.
        height: Pixels.

    Returns:
        ``[height, width, 3]``.
    """
    with chromium() as browser, watched_page(browser, width, height) as watched:
        watched.open_scene(f"{url}?noui&webgl")
        return watched.pixels()
