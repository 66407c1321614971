"""Headers that every answer carries, and the content security policies of the pages.

No page loads anything from another host, none has a script or style inside it, and none may be framed. The
viewer's page alone runs scripts; what its policy allows beyond those of this host, and why:

- ``worker-src blob:``: the engine sorts splats in a worker that it makes from a string.
- ``'unsafe-hashes'`` with one hash: the viewer's panels keep pointers and wheels to themselves with an inline
  handler of exactly that text; no other inline script runs.

WebAssembly and ``blob:`` images are not needed: textures are decoded with ``createImageBitmap``.
"""

from __future__ import annotations

import base64
import hashlib

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def _hash_source(script: str) -> str:
    """The source expression that allows one inline script by its content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


_NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

PAGE_POLICY = f"default-src 'none'; style-src 'self'; img-src 'self'; {_NOTHING_ELSE}"
"""For pages without a script, and for everything that is not a page."""

VIEWER_POLICY = (
    f"default-src 'none'; script-src 'self' 'unsafe-hashes' {_hash_source('event.stopPropagation()')}; "
    f"style-src 'self'; img-src 'self'; connect-src 'self'; worker-src blob:; {_NOTHING_ELSE}"
)
"""For the page that shows a scene."""

IMMUTABLE = "public, max-age=31536000, immutable"
"""For content under a path that names its digest."""

REVALIDATE = "no-cache"
"""For content that may change under the same path: keep it, but ask."""

_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """Adds the common headers to every answer, and the strict policy where the answer has none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", PAGE_POLICY)
                headers.update(_COMMON)
            await send(message)

        await self._app(scope, receive, send_with_headers)
