"""The addresses of the HTTP face and what answers them."""

from __future__ import annotations

import logging

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_streamer.scenes import SceneRegistry, check_slug
from splatworks_streamer.web.headers import IMMUTABLE, REVALIDATE
from splatworks_streamer.web.pages import Pages
from splatworks_streamer.web.ranges import RangeNotSatisfiable, parse_range
from splatworks_streamer.web.scene_files import (
    SceneFile,
    SceneFiles,
    ServedScene,
    StoreStream,
    without_body,
)
from splatworks_streamer.web.static import StaticFiles
from splatworks_streamer.web.validators import etag, is_unmodified, wants_range

_SCENES_A_PAGE = 48
_log = logging.getLogger(__name__)


class Routes:
    """Handlers of all addresses."""

    def __init__(self, registry: SceneRegistry, static: StaticFiles, pages: Pages) -> None:
        self._registry = registry
        self._files = SceneFiles(registry)
        self._static = static
        self._pages = pages

    def table(self) -> list[Route]:
        """All routes; Starlette adds HEAD to each."""
        return [
            Route("/", self.scene_list),
            Route("/healthz", self.health),
            Route("/static/{digest}/{name:path}", self._static.respond),
            Route("/s/{slug}", self.scene_without_slash),
            Route("/s/{slug}/", self.scene),
            Route("/s/{slug}/{name}", self.current_file),
            Route("/s/{slug}/{version}/{name:path}", self.versioned_file),
        ]

    async def health(self, request: Request) -> Response:
        """The server answers; the store is not asked."""
        return PlainTextResponse("ok\n")

    async def scene_list(self, request: Request) -> Response:
        """The list of scenes, or a further page of it (``?after=slug``)."""
        after = request.query_params.get("after", "")
        _require_slug(after or "first")
        scenes, next_page_token = await to_thread.run_sync(self._list, after)
        return self._pages.scene_list(scenes, next_page_token)

    async def scene_without_slash(self, request: Request) -> Response:
        """Relative addresses need the slash."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/s/{_slug(request)}/{query}", 308)

    async def scene(self, request: Request) -> Response:
        """One scene in the viewer; whatever the query says, the page is the same."""
        return self._pages.scene(await self._find(request))

    async def current_file(self, request: Request) -> Response:
        """A file of the scene as it is published now; may change, so clients ask again."""
        served = await self._find(request)
        return await self._send(request, served.files.get(request.path_params["name"]), REVALIDATE)

    async def versioned_file(self, request: Request) -> Response:
        """A file of one version of the scene; never changes."""
        served = await self._find(request)
        if request.path_params["version"] != served.version:
            raise HTTPException(404)
        return await self._send(request, served.files.get(request.path_params["name"]), IMMUTABLE)

    async def _find(self, request: Request) -> ServedScene:
        return await to_thread.run_sync(self._files.find, _slug(request))

    def _list(self, after: str) -> tuple[list[ServedScene], str]:
        page = self._registry.list(_SCENES_A_PAGE, after)
        served = []
        for scene in page.scenes:
            try:
                served.append(self._files.served(scene))
            except (InputInvalid, InputNotFound) as error:
                _log.warning("scene '%s' is left out of the list: %s", scene.slug, error)
        return served, page.next_page_token

    async def _send(self, request: Request, file: SceneFile | None, cache_control: str) -> Response:
        if file is None:
            raise HTTPException(404)
        entry, tag = file.entry, etag(file.entry.sha256)
        headers = {"ETag": tag, "Cache-Control": cache_control, "Accept-Ranges": "bytes"}
        if is_unmodified(request.headers.get("If-None-Match"), tag):
            return without_body(304, headers)
        asked = request.headers.get("Range") if wants_range(request.headers.get("If-Range"), tag) else None
        try:
            part = parse_range(asked, entry.bytes)
        except RangeNotSatisfiable:
            return without_body(416, headers | {"Content-Range": f"bytes */{entry.bytes}"})
        start, length, status = (part.start, part.length, 206) if part else (0, entry.bytes, 200)
        headers["Content-Length"] = str(length)
        if part:
            headers["Content-Range"] = part.content_range
        if request.method == "HEAD" or not length:
            return without_body(status, headers, entry.media_type)
        stream = await to_thread.run_sync(self._files.open, file, start, length)
        return StoreStream(stream, status, headers, entry.media_type)


def _slug(request: Request) -> str:
    slug = str(request.path_params["slug"])
    _require_slug(slug)
    return slug


def _require_slug(slug: str) -> None:
    try:
        check_slug(slug)
    except InputInvalid as error:
        raise HTTPException(404) from error
