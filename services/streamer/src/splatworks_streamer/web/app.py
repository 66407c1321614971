"""The application: routes, headers, and what becomes of errors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from splatworks_common.artifacts.settings import RetryPolicy
from splatworks_common.reasons import InputNotFound, StageError
from splatworks_streamer.scenes import SceneRegistry
from splatworks_streamer.web.headers import SecurityHeaders
from splatworks_streamer.web.pages import Pages
from splatworks_streamer.web.routes import Routes
from splatworks_streamer.web.static import StaticFiles

_RETRY_AFTER_SECONDS = 10
_log = logging.getLogger(__name__)

BROWSER_PATIENCE = RetryPolicy(attempts=3, seconds=3.0, first_pause=0.1, longest_pause=1.0)
"""For the settings of the store that pages are served from: a person who waits for a page is told soon."""


def create_app(
    registry: SceneRegistry, *, static: StaticFiles | None = None, hosts: Sequence[str] = ("*",)
) -> Starlette:
    """The HTTP face over a registry of scenes and its store.

    Example:
        >>> settings = replace(StoreSettings.from_environment(), retry=BROWSER_PATIENCE)
        >>> store = ArtifactStore(settings, parallel=16)
        >>> app = create_app(SceneRegistry(store, store.uri("scenes")))

    Args:
        registry: The scenes; its store is called from worker threads.
        static: The viewer and the pages' styles; by default those in this package.
        hosts: Names by which the server may be asked; others get 400. On loopback they keep pages of other
            sites from reading scenes by a name of theirs that resolves to this machine (DNS rebinding).

    Raises:
        FileNotFoundError: The viewer was not built into this package.
    """
    static = static or StaticFiles.packaged()
    pages = Pages(static)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == HTTPStatus.NOT_FOUND:
            return _for(request, pages.missing())
        return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)

    async def stage_error(request: Request, error: Exception) -> Response:
        if isinstance(error, InputNotFound):
            return _for(request, pages.missing())
        _log.warning("%s can not be served: %s", request.url.path, error)
        response = _for(request, pages.unavailable())
        response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
        return response

    app = Starlette(
        routes=Routes(registry, static, pages).table(),
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        ],
        exception_handlers={HTTPException: http_error, StageError: stage_error},
    )
    app.router.redirect_slashes = False
    return app


def _for(request: Request, page: Response) -> Response:
    """The page for a browser that shows it; a line of text for what fetches a file."""
    if "text/html" in request.headers.get("Accept", ""):
        return page
    return PlainTextResponse(f"{HTTPStatus(page.status_code).phrase}\n", page.status_code)
