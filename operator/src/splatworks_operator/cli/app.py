"""All commands put together."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from splatworks_operator.cli import jobs
from splatworks_operator.cli.run import run
from splatworks_operator.cli.submit import submit
from splatworks_operator.cli.upload import upload

_PLUGIN = "kubectl-splat"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Photos in, a 3D scene in the browser out: on this machine, or on a cluster that runs Splatworks.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"splatworks {version('splatworks-operator')}")
        raise typer.Exit


@app.callback()
def _splatworks(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


app.command()(run)
app.command()(submit)
app.command()(upload)
app.command("list")(jobs.list_jobs)
app.command()(jobs.get)
app.command()(jobs.watch)
app.command()(jobs.cancel)
app.command()(jobs.suspend)
app.command()(jobs.resume)
app.command()(jobs.logs)
app.command()(jobs.download)
app.command()(jobs.explain)


def main() -> None:
    """The entry point of ``splatworks`` and of ``kubectl splat``."""
    as_plugin = Path(sys.argv[0]).name == _PLUGIN
    app(prog_name="kubectl splat" if as_plugin else "splatworks")
