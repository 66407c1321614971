"""The commands that show, change and fetch SplatJobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from splatworks_operator.cli import flags
from splatworks_operator.cli.on_cluster import ERRORS, follow_job, on_cluster
from splatworks_operator.cli.outcome import FAILED, complain, told
from splatworks_operator.cluster.output import Form, for_programs
from splatworks_operator.cluster.target import Target
from splatworks_operator.status import StageName

if TYPE_CHECKING:
    from splatworks_operator.cluster.connection import Connection
    from splatworks_operator.cluster.jobs import SplatJobs
    from splatworks_operator.cluster.splatjob import SplatJob


class Fetched(StrEnum):
    """Whose results to download."""

    SFM = "sfm"
    TRAIN = "train"
    COMPRESS = "compress"
    PUBLISH = "publish"
    ALL = "all"


def list_jobs(
    all_namespaces: flags.AllNamespaces = False,
    selector: flags.Selector = "",
    output: flags.Output = Form.TABLE,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """List SplatJobs."""
    from splatworks_operator.cluster.jobs import SplatJobs
    from splatworks_operator.cluster.table import job_table

    async def work(connection: Connection) -> tuple[list[SplatJob], str]:
        found, _ = await SplatJobs(connection).listed(everywhere=all_namespaces, selector=selector)
        return found, connection.namespace

    with told(ERRORS):
        found, where = on_cluster(Target(kubeconfig, context, namespace), work)
        if output not in (Form.TABLE, Form.WIDE):
            typer.echo(for_programs(output, found, as_list=True))
        elif found:
            typer.echo("\n".join(job_table(found, wide=output is Form.WIDE, namespaces=all_namespaces)))
        else:
            place = "any namespace" if all_namespaces else f"namespace {where}"
            typer.echo(f"There are no SplatJobs in {place}.", err=True)


def get(
    name: flags.Name,
    output: flags.Output = Form.TABLE,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """Show all about one SplatJob: stages, results, events."""
    from splatworks_operator.cluster.describe import page
    from splatworks_operator.cluster.errors import Forbidden
    from splatworks_operator.cluster.jobs import SplatJobs

    async def work(connection: Connection) -> str:
        jobs = SplatJobs(connection)
        job = await jobs.get(name)
        if output is not Form.TABLE and output is not Form.WIDE:
            return for_programs(output, [job], as_list=False)
        try:
            return page(job, await jobs.events(job))
        except Forbidden:
            return page(job, None)

    with told(ERRORS):
        typer.echo(on_cluster(Target(kubeconfig, context, namespace), work))


def watch(
    name: Annotated[
        str | None, typer.Argument(help="The SplatJob to follow to its end; without it all, until Ctrl-C.")
    ] = None,
    all_namespaces: flags.AllNamespaces = False,
    selector: flags.Selector = "",
    timeout: Annotated[
        float | None,
        typer.Option(parser=flags.duration, metavar="TIME", help="Stop after 90s, 30m, 1h30m …"),
    ] = None,
    output: Annotated[
        Form, typer.Option("-o", "--output", help="table, or wide without a name.")
    ] = Form.TABLE,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """Follow a SplatJob to its end (exit code 0 Succeeded, 1 Failed), or all of them."""
    from splatworks_operator.cluster.jobs import SplatJobs
    from splatworks_operator.cluster.watch import watch_all

    if output not in (Form.TABLE, Form.WIDE):
        raise typer.BadParameter("watch shows a table; 'kubectl get splatjobs -w -o json' is for programs.")
    if name is not None and (all_namespaces or selector):
        raise typer.BadParameter("-A and -l choose among all jobs; leave NAME out.")
    console = Console()

    async def work(connection: Connection) -> bool:
        jobs = SplatJobs(connection)
        if name is not None:
            return await follow_job(jobs, name, console, timeout)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await watch_all(
                    jobs, console, everywhere=all_namespaces, selector=selector, wide=output is Form.WIDE
                )
        return True

    with told(ERRORS, stopped="Stopped watching; the jobs go on."):
        succeeded = on_cluster(Target(kubeconfig, context, namespace), work)
    if not succeeded:
        raise typer.Exit(FAILED)


def cancel(
    names: flags.Names,
    delete: Annotated[
        bool,
        typer.Option(
            "--delete", help="Delete the SplatJobs too, and their files as artifactPolicy.onDelete says."
        ),
    ] = False,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """End SplatJobs for good."""

    async def work(jobs: SplatJobs, name: str) -> str:
        if delete:
            await jobs.delete(name)
            return "deleted"
        job = await jobs.get(name)
        if job.status.phase.terminal:
            return f"has ended already: {job.status.phase}"
        await jobs.change(name, terminate=True)
        return "is being cancelled"

    _each(names, Target(kubeconfig, context, namespace), work)


def suspend(
    names: flags.Names,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """Stop SplatJobs for now and free their workers."""
    _suspend(names, Target(kubeconfig, context, namespace), True)


def resume(
    names: flags.Names,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """Let suspended SplatJobs go on from where they were."""
    _suspend(names, Target(kubeconfig, context, namespace), False)


def logs(
    name: flags.Name,
    stage: Annotated[StageName | None, typer.Option("--stage", help="Only this stage.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the job has ended.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="The JSON lines as the workers wrote them.")] = False,
    workers_namespace: Annotated[
        str | None,
        typer.Option(
            "--workers-namespace", help="Where the workers run.  [default: splatworks, then the job's]"
        ),
    ] = None,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """Show what the workers wrote about a SplatJob."""
    from splatworks_operator.cluster.jobs import SplatJobs
    from splatworks_operator.cluster.logs import Selection, WorkerLogs, namespaces

    def explain_lack(sentence: str) -> None:
        typer.echo(sentence, err=True)

    async def work(connection: Connection) -> bool:
        jobs = SplatJobs(connection)
        selection = Selection(await jobs.get(name), stage, raw)
        if not selection.stages and not follow:
            explain_lack(f"{stage or 'No stage'} of {name} has {'not ' if stage else ''}begun.")
            return True
        workers = WorkerLogs(connection, namespaces(workers_namespace, selection.job))
        if follow:
            await workers.follow(jobs, selection, typer.echo, explain_lack)
            return True
        return await workers.show(selection, typer.echo, explain_lack)

    with told(ERRORS):
        complete = on_cluster(Target(kubeconfig, context, namespace), work)
    if not complete:
        raise typer.Exit(FAILED)


def download(
    name: flags.Name,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Where to.  [default: out/NAME]", show_default=False),
    ] = None,
    stage: Annotated[Fetched, typer.Option("--stage", help="Whose results.")] = Fetched.COMPRESS,
    store_url: flags.StoreUrl = None,
    store_secret: flags.StoreSecret = None,
    store_bucket: flags.StoreBucket = None,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """Download a SplatJob's results, verified."""
    from splatworks_operator.cluster import download as downloading
    from splatworks_operator.cluster.jobs import SplatJobs
    from splatworks_operator.cluster.store_access import StoreAccess, open_store

    wanted = [] if stage is Fetched.ALL else [StageName(stage.value)]

    async def work(connection: Connection) -> list[Path]:
        job = await SplatJobs(connection).get(name)
        access = StoreAccess(store_url, store_bucket, store_secret)
        async with open_store(access, connection) as store:
            return await asyncio.to_thread(
                downloading.download, store, job, wanted, out or Path("out") / name, Console(stderr=True)
            )

    with told(ERRORS):
        for folder in on_cluster(Target(kubeconfig, context, namespace), work):
            typer.echo(str(folder))


def explain(
    path: Annotated[str, typer.Argument(help="A field, such as train or splatjob.spec.train.maxSteps.")] = "",
) -> None:
    """Say what the fields of a SplatJob mean; needs no cluster."""
    from splatworks_operator.cluster import explain as explaining

    with told(ERRORS):
        typer.echo(explaining.explain(path))


def _suspend(names: list[str], target: Target, suspended: bool) -> None:
    async def work(jobs: SplatJobs, name: str) -> str:
        job = await jobs.get(name)
        if job.status.phase.terminal:
            return f"has ended already: {job.status.phase}"
        await jobs.change(name, suspend=suspended)
        return "is being suspended" if suspended else "goes on"

    _each(names, target, work)


def _each(names: list[str], target: Target, work: Callable[[SplatJobs, str], Awaitable[str]]) -> None:
    """Does ``work`` for every job and says what came of it; one that fails does not stop the others."""
    from splatworks_operator.cluster.errors import ClusterError
    from splatworks_operator.cluster.jobs import SplatJobs

    async def all_of_them(connection: Connection) -> bool:
        jobs, well = SplatJobs(connection), True
        for name in names:
            try:
                typer.echo(f"{name} {await work(jobs, name)}")
            except ClusterError as error:
                well = False
                complain(ERRORS, "Error", str(error))
        return well

    with told(ERRORS):
        well = on_cluster(target, all_of_them)
    if not well:
        raise typer.Exit(FAILED)
