"""The HTML pages, from the templates beside this module."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from splatworks_streamer.publish import CONTENT_NAME, SETTINGS_NAME, THUMBNAIL_NAME
from splatworks_streamer.web.headers import PAGE_POLICY, REVALIDATE, VIEWER_POLICY
from splatworks_streamer.web.scene_files import ServedScene
from splatworks_streamer.web.static import StaticFiles

_UNITS = ("bytes", "kB", "MB", "GB")


class Pages:
    """Renders pages; every value is escaped unless a template says otherwise, and none does."""

    def __init__(self, static: StaticFiles) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "static": static.path,
            "content_name": CONTENT_NAME,
            "settings_name": SETTINGS_NAME,
            "thumbnail_name": THUMBNAIL_NAME,
        }
        self._templates.filters |= {"size": readable_size}

    def scene_list(self, scenes: list[ServedScene], next_page_token: str) -> HTMLResponse:
        """The list of scenes."""
        return self._page("scenes.html", scenes=scenes, next_page_token=next_page_token)

    def scene(self, served: ServedScene) -> HTMLResponse:
        """One scene in the viewer."""
        return self._page("scene.html", policy=VIEWER_POLICY, served=served)

    def missing(self) -> HTMLResponse:
        """There is nothing under this address."""
        return self._page("missing.html", status_code=404)

    def unavailable(self) -> HTMLResponse:
        """The scenes can not be read at the moment."""
        return self._page("unavailable.html", status_code=503)

    def _page(
        self, template: str, *, status_code: int = 200, policy: str = PAGE_POLICY, **values: object
    ) -> HTMLResponse:
        text = self._templates.get_template(template).render(**values)
        headers = {"Cache-Control": REVALIDATE, "Content-Security-Policy": policy}
        return HTMLResponse(text, status_code, headers)


def readable_size(count: int) -> str:
    """Bytes for people, in powers of 1000.

    Example:
        >>> readable_size(1_234_567)
        '1.2 MB'
    """
    size, unit = float(count), 0
    while size >= 999.95 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{count} {_UNITS[0]}"
