"""The gRPC face of the streamer service, and its HTTP server beside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import click
from google.longrunning import operations_pb2

from splatworks.v1 import streamer_pb2, streamer_pb2_grpc
from splatworks_common import server, server_options
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.operations.servicer import StageStarter
from splatworks_streamer.scenes import DEFAULT_PAGE_SIZE, SceneRegistry
from splatworks_streamer.stage import STAGE, blaming, scene_message, scene_registry
from splatworks_streamer.web.app import BROWSER_PATIENCE, create_app
from splatworks_streamer.web.serving import serve


class StreamerServicer(streamer_pb2_grpc.StreamerServiceServicer):
    """``splatworks.v1.StreamerService``."""

    def __init__(self, start: StageStarter, scenes: SceneRegistry) -> None:
        self._start = start
        self._scenes = scenes

    async def PublishScene(
        self, request: streamer_pb2.PublishSceneRequest, context: Any
    ) -> operations_pb2.Operation:
        """Starts a publication."""
        return self._start(request)

    async def UnpublishScene(
        self, request: streamer_pb2.UnpublishSceneRequest, context: Any
    ) -> streamer_pb2.UnpublishSceneResponse:
        """Takes a scene off the web."""
        with blaming("slug"):
            await asyncio.to_thread(self._scenes.unpublish, request.slug)
        return streamer_pb2.UnpublishSceneResponse()

    async def GetScene(
        self, request: streamer_pb2.GetSceneRequest, context: Any
    ) -> streamer_pb2.GetSceneResponse:
        """Describes one scene."""
        with blaming("slug"):
            scene = await asyncio.to_thread(self._scenes.get, request.slug)
        return streamer_pb2.GetSceneResponse(scene=scene_message(scene))

    async def ListScenes(
        self, request: streamer_pb2.ListScenesRequest, context: Any
    ) -> streamer_pb2.ListScenesResponse:
        """A page of scenes."""
        size = request.page_size or DEFAULT_PAGE_SIZE
        with blaming("page_token" if request.page_token else "page_size"):
            page = await asyncio.to_thread(self._scenes.list, size, request.page_token)
        return streamer_pb2.ListScenesResponse(
            scenes=[scene_message(scene) for scene in page.scenes], next_page_token=page.next_page_token
        )


@contextlib.asynccontextmanager
async def _open(context: server.Context) -> AsyncIterator[None]:
    scenes = scene_registry(context.store)
    servicer = StreamerServicer(context.start, scenes)
    streamer_pb2_grpc.add_StreamerServiceServicer_to_server(servicer, context.server)
    listen = context.options["http_listen"]
    address = server_options.listen_address(listen)
    names = context.options["http_host"]
    pages = ArtifactStore(replace(context.store.settings, retry=BROWSER_PATIENCE), parallel=16)
    try:
        app = create_app(scene_registry(pages), hosts=("localhost", "127.0.0.1", *names))
        http = await serve(app, address.host, address.port)
    except OSError as error:
        raise click.ClickException(f"Can not listen on {listen}: {error.strerror}") from error
    context.addresses["http"] = str(replace(address, port=http.port))
    try:
        yield
    finally:
        await http.stop()


def _checked_hosts(_: click.Context, option: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Accepts names, ``*.`` before a name, and ``*`` for any; what the pages' server can compare with.

    Raises:
        click.BadParameter: There is another ``*`` in a name.
    """
    for name in names:
        if name != "*" and "*" in name.removeprefix("*."):
            raise click.BadParameter(
                f"{name!r} is no name of a host: write it like splats.example.com or *.example.com.",
                param=option,
            )
    return names


SERVICE = server.Service(
    name="streamer",
    distribution="splatworks-streamer",
    stage=STAGE,
    stage_reference="splatworks_streamer.stage:STAGE",
    full_names=["splatworks.v1.StreamerService"],
    open=_open,
    options=[
        click.Option(
            ["--http-listen"], default="127.0.0.1:0", help="Address of the scenes' pages; port 0 picks one."
        ),
        click.Option(
            ["--http-host"],
            multiple=True,
            callback=_checked_hosts,
            help="Name by which the pages are asked for, besides localhost: that of the Ingress in front, "
            "like splats.example.com or *.example.com; repeat it for several (separated by spaces in the "
            "environment).",
        ),
    ],
)


def main() -> None:
    """The entry point ``splatworks-streamer``."""
    server.main(SERVICE)


if __name__ == "__main__":
    main()
