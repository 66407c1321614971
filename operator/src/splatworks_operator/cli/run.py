"""``splatworks run``: the whole pipeline on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from splatworks_operator.cli.outcome import FAILED, complain, run_until_signal, told
from splatworks_operator.status import JobStatus, Phase, StageState

if TYPE_CHECKING:
    from splatworks_operator.local.session import Request


class Profile(StrEnum):
    """How much time a scene may take."""

    DRAFT = "draft"
    STANDARD = "standard"


def run(
    photos: Annotated[Path, typer.Argument(help="A folder of photos, or a .zip of them.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Where results go.  [default: out/NAME-OF-THE-PHOTOS]", show_default=False
        ),
    ] = None,
    profile: Annotated[
        Profile, typer.Option(help="draft: a quick look at 480 pixels; standard: 960 pixels.")
    ] = Profile.STANDARD,
    serve: Annotated[bool, typer.Option("--serve", help="Keep serving the scene until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the viewer; 0 picks a free one.")] = 0,
    reuse: Annotated[
        bool,
        typer.Option(
            "--reuse/--no-reuse", help="Reuse finished stages of earlier runs into the same folder."
        ),
    ] = True,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads to use.  [default: all cores]", show_default=False)
    ] = None,
) -> None:
    """Turn photos into a 3D scene on this machine: no cluster, no GPU, no network."""
    from splatworks_operator import spec
    from splatworks_operator.local.session import Request, default_threads
    from splatworks_operator.photos import scene_slug

    slug = scene_slug(photos)
    request = Request(
        photos=photos,
        out=out or Path("out") / slug,
        slug=slug,
        profile=spec.Profile[profile.name],
        cache=reuse,
        port=port,
        threads=threads or default_threads(),
    )
    console, errors = Console(), Console(stderr=True)
    with told(errors):
        succeeded = run_until_signal(lambda: _run(request, console, errors, serve=serve))
    if not succeeded:
        raise typer.Exit(FAILED)


async def _run(request: Request, console: Console, errors: Console, *, serve: bool) -> bool:
    from splatworks_operator import display
    from splatworks_operator.local.session import open_session

    console.print(f"Starting the object store and the four services for {request.photos} …", markup=False)
    async with open_session(request) as session:
        with display.Display(console) as live:
            status = await session.run(live.show)
        console.print()
        if any(stage.state is StageState.SUCCEEDED for stage in status.stages):
            console.print(display.summary(status))
        if status.phase is not Phase.SUCCEEDED:
            _explain_failure(errors, request, status)
            return False
        if any(stage.cached for stage in status.stages):
            console.print("Stages marked “reused” come from an earlier run; --no-reuse makes them again.")
        console.print(f"Results: {request.out}", markup=False, soft_wrap=True)
        if serve:
            console.print(f"Viewer:  {await session.viewer_url()}   (Ctrl-C stops)", soft_wrap=True)
            with contextlib.suppress(asyncio.CancelledError):
                await session.keep_serving()
        else:
            console.print(f"Viewer:  {_serve_command(request)}", markup=False, soft_wrap=True)
    return True


def _serve_command(request: Request) -> str:
    profile = Profile[request.profile.name]
    words = [sys.argv[0], "run", request.photos, "-o", request.out, "--profile", profile, "--serve"]
    return shlex.join(map(str, words))


def _explain_failure(errors: Console, request: Request, status: JobStatus) -> None:
    for stage in status.stages:
        if stage.state is StageState.FAILED and stage.reason is not None:
            complain(errors, stage.reason, stage.message)
            errors.print(f"Logs: {request.out / '.splatworks' / 'logs'}", markup=False, soft_wrap=True)
