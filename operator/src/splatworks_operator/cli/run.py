"""``splatworks run``: the whole pipeline on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from splatworks_operator.cli.flags import spec_flag
from splatworks_operator.cli.outcome import FAILED, complain, run_until_signal, told
from splatworks_operator.spec import Profile
from splatworks_operator.status import JobStatus, Phase, StageState

if TYPE_CHECKING:
    from splatworks_operator.local.session import Choices, Request


def run(
    photos: Annotated[Path, typer.Argument(help="A folder of photos, or a .zip of them.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Where results go.  [default: out/NAME-OF-THE-PHOTOS]", show_default=False
        ),
    ] = None,
    profile: Annotated[
        Profile, spec_flag("--profile", "profile", case_sensitive=False, show_default=True)
    ] = Profile.STANDARD,
    hold_out_every: Annotated[int | None, spec_flag("--hold-out-every", "train.holdOutEvery")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Any field of sfm, train or compress of a SplatJob, such as train.shDegree=2; 'splatworks "
            "explain train' lists them. Repeatable.",
        ),
    ] = None,
    job: Annotated[
        Path | None,
        typer.Option(
            "--job",
            help="An older job's JSON: its options hold where no flag says otherwise, its photos do not.",
        ),
    ] = None,
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
    from splatworks_operator.local.session import Request, default_threads
    from splatworks_operator.photos import scene_slug

    slug = scene_slug(photos)
    console, errors = Console(), Console(stderr=True)
    with told(errors):
        request = Request(
            photos=photos,
            out=out or Path("out") / slug,
            slug=slug,
            choices=choices(profile, hold_out_every, settings or (), job),
            cache=reuse,
            port=port,
            threads=threads or default_threads(),
        )
        again = serve_command(photos, request.out, profile, hold_out_every, settings or (), job)
        succeeded = run_until_signal(lambda: _run(request, console, errors, again, serve=serve))
    if not succeeded:
        raise typer.Exit(FAILED)


def choices(
    profile: Profile, hold_out_every: int | None, settings: Sequence[str], job: Path | None
) -> Choices:
    """What was said of how the scene is made: flags over the older job's file, ``--set`` over both.

    Raises:
        WrongUsage: Something of it can not be.
    """
    from splatworks_operator.cluster import manifests
    from splatworks_operator.cluster.errors import WrongUsage
    from splatworks_operator.local.session import Choices

    spec = {} if job is None else manifests.read_older_job(job, job.read_text())
    spec.pop("source", None)
    flagged = manifests.fields({"profile": profile, "train.holdOutEvery": hold_out_every})
    spec = manifests.merged(manifests.merged(spec, flagged), manifests.assignments(settings))
    if others := spec.keys() - Choices.model_fields.keys():
        raise WrongUsage(
            f"--set {min(others)}: a run on this machine has only {', '.join(Choices.model_fields)}; "
            "'splatworks submit' takes all fields."
        )
    return manifests.parsed(Choices, spec)


async def _run(request: Request, console: Console, errors: Console, again: str, *, serve: bool) -> bool:
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
            console.print(f"Viewer:  {again}", markup=False, soft_wrap=True)
    return True


def serve_command(
    photos: Path,
    out: Path,
    profile: Profile,
    hold_out_every: int | None,
    settings: Sequence[str],
    job: Path | None,
) -> str:
    """The command that serves what these words made: the same ones, so that every stage is reused."""
    words: list[object] = [sys.argv[0], "run", photos, "-o", out, "--profile", profile.lower()]
    if hold_out_every is not None:
        words += ["--hold-out-every", hold_out_every]
    for setting in settings:
        words += ["--set", setting]
    if job is not None:
        words += ["--job", job]
    return shlex.join(map(str, [*words, "--serve"]))


def _explain_failure(errors: Console, request: Request, status: JobStatus) -> None:
    for stage in status.stages:
        if stage.state is StageState.FAILED and stage.reason is not None:
            complain(errors, stage.reason, stage.message)
            errors.print(f"Logs: {request.out / '.splatworks' / 'logs'}", markup=False, soft_wrap=True)
