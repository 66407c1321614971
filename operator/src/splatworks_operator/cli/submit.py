"""``splatworks submit``: photos or files become SplatJobs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from splatworks_operator.cli import flags
from splatworks_operator.cli.flags import spec_flag
from splatworks_operator.cli.on_cluster import ERRORS, follow_job, on_cluster
from splatworks_operator.cli.outcome import FAILED, told
from splatworks_operator.cluster.output import Form, for_programs
from splatworks_operator.cluster.target import Target
from splatworks_operator.spec import Profile, Quality

if TYPE_CHECKING:
    from splatworks_operator.cluster.connection import Connection
    from splatworks_operator.cluster.submit import Request


def submit(
    photos: Annotated[
        str | None, typer.Argument(help="A folder of photos, a .zip of them, or their s3:// address.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "-f",
            "--filename",
            help="A file of SplatJobs, or an older job's JSON, instead; - is the standard input.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The SplatJob's name.  [default: that of the photos]")
    ] = None,
    profile: Annotated[Profile | None, spec_flag("--profile", "profile", case_sensitive=False)] = None,
    quality: Annotated[
        Quality | None, spec_flag("--quality", "compress.quality", case_sensitive=False)
    ] = None,
    max_steps: Annotated[int | None, spec_flag("--max-steps", "train.maxSteps")] = None,
    max_gaussians: Annotated[int | None, spec_flag("--max-gaussians", "train.maxGaussians")] = None,
    title: Annotated[str | None, spec_flag("--title", "publish.title")] = None,
    priority: Annotated[int | None, spec_flag("--priority", "priority")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Any other field, such as train.shDegree=2; 'splatworks explain' lists them. Repeatable.",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the job to its end: 0 Succeeded, 1 Failed.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            parser=flags.duration, metavar="TIME", help="With --wait: stop waiting after 90s, 30m, 1h30m …"
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the SplatJob as YAML; upload and create nothing.")
    ] = False,
    output: flags.Output = Form.TABLE,
    store_url: flags.StoreUrl = None,
    store_secret: flags.StoreSecret = None,
    store_bucket: flags.StoreBucket = None,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """Upload photos and create a SplatJob for them."""
    from splatworks_operator.cluster import manifests
    from splatworks_operator.cluster.output import as_yaml
    from splatworks_operator.cluster.store_access import StoreAccess
    from splatworks_operator.cluster.submit import Request, compose

    if (photos is None) == (file is None):
        raise typer.BadParameter("give either photos or -f FILE.")
    if name is not None and photos is None:
        raise typer.BadParameter("--name is for photos; a file says the names itself.")
    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout is for --wait.")
    said = {
        "profile": profile,
        "compress.quality": quality,
        "train.maxSteps": max_steps,
        "train.maxGaussians": max_gaussians,
        "publish.title": title,
        "priority": priority,
    }
    with told(ERRORS):
        spec = manifests.merged(manifests.fields(said), manifests.assignments(settings or []))
        request = None
        if photos is not None:
            request = Request(photos, name, spec, StoreAccess(store_url, store_bucket, store_secret))
            documents = [compose(request, namespace)]
        else:
            assert file is not None
            text = sys.stdin.read() if str(file) == "-" else file.read_text()
            documents = manifests.read(file, text, over=spec, namespace=namespace)
        if wait and len(documents) > 1:
            raise typer.BadParameter(f"--wait follows one job, and {file} has {len(documents)}.")
        if dry_run:
            typer.echo(as_yaml(*documents))
            return
        succeeded = on_cluster(
            Target(kubeconfig, context, namespace),
            lambda connection: _submit(connection, request, documents, output, timeout if wait else 0),
        )
    if not succeeded:
        raise typer.Exit(FAILED)


async def _submit(
    connection: Connection,
    request: Request | None,
    documents: list[dict[str, Any]],
    output: Form,
    seconds: float | None,
) -> bool:
    """Makes the jobs; follows the only one for so long, None for as long as it takes, 0 not at all."""
    from splatworks_operator.cluster.jobs import SplatJobs
    from splatworks_operator.cluster.submit import submit as submit_photos

    for_people = output in (Form.TABLE, Form.WIDE)
    console = Console(stderr=not for_people)
    made = [
        await submit_photos(document, request, connection, console)
        if request is not None
        else await SplatJobs(connection).create(document)
        for document in documents
    ]
    if for_people:
        for job in made:
            typer.echo(f"{job.full_name} created")
    else:
        typer.echo(for_programs(output, made, as_list=len(made) > 1))
    if seconds != 0:
        return await follow_job(SplatJobs(connection, made[0].namespace), made[0].name, console, seconds)
    if for_people and len(made) == 1:
        typer.echo(f"Follow it with: splatworks watch {made[0].name} -n {made[0].namespace}")
    return True
