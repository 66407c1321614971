"""The ``splatworks`` command."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from splatworks_common.reasons import Reason, StageError
from splatworks_operator.local import display
from splatworks_operator.local.photos import scene_slug
from splatworks_operator.local.session import Request, default_threads, open_session
from splatworks_operator.pipeline import JobStatus, Phase, StageState

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Photos in, a 3D scene in the browser out.",
)

_INTERRUPTED = 130
"""The exit code shells expect after Ctrl-C."""


class Profile(StrEnum):
    """How much time a scene may take."""

    DRAFT = "draft"
    STANDARD = "standard"


@app.callback()
def _splatworks() -> None:
    """Keeps ``run`` a sub-command while it is the only one."""


@app.command()
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
    slug = scene_slug(photos)
    request = Request(
        photos=photos,
        out=out or Path("out") / slug,
        slug=slug,
        profile=profile,
        cache=reuse,
        port=port,
        threads=threads or default_threads(),
    )
    console, errors = Console(), Console(stderr=True)
    try:
        succeeded = asyncio.run(_run(request, console, errors, serve=serve))
    except StageError as error:
        _explain(errors, error.reason, str(error))
        raise typer.Exit(1) from error
    except OSError as error:
        _explain(errors, Reason.INPUT_INVALID, f"{error.filename}: {error.strerror}")
        raise typer.Exit(1) from error
    except asyncio.CancelledError:
        errors.print("Stopped.")
        raise typer.Exit(_INTERRUPTED) from None
    if not succeeded:
        raise typer.Exit(1)


async def _run(request: Request, console: Console, errors: Console, *, serve: bool) -> bool:
    _cancel_on_signals()
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
    words = [sys.argv[0], "run", request.photos, "-o", request.out, "--profile", request.profile, "--serve"]
    return shlex.join(map(str, words))


def _cancel_on_signals() -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)


def _explain_failure(errors: Console, request: Request, status: JobStatus) -> None:
    for stage in status.stages:
        if stage.state is StageState.FAILED and stage.reason is not None:
            _explain(errors, stage.reason, stage.message)
            errors.print(f"Logs: {request.out / '.splatworks' / 'logs'}", markup=False, soft_wrap=True)


def _explain(errors: Console, reason: str, message: str) -> None:
    errors.print(f"[red]{reason}[/red]: ", end="")
    errors.print(message, markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """The entry point ``splatworks``."""
    app()
