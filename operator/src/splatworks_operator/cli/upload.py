"""``splatworks upload``: photos on this machine become objects that SplatJobs may name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from splatworks_operator.cli import flags
from splatworks_operator.cli.on_cluster import ERRORS, on_cluster
from splatworks_operator.cli.outcome import run_until_signal, told
from splatworks_operator.cluster.target import Target

if TYPE_CHECKING:
    from splatworks_operator.cluster.connection import Connection
    from splatworks_operator.cluster.uploads import Uploaded


def upload(
    photos: Annotated[Path, typer.Argument(help="A folder of photos, or a .zip of them.")],
    address: Annotated[str, typer.Argument(metavar="S3://BUCKET/PREFIX/", help="Where to.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace photos of the same names; others stay.")
    ] = False,
    store_url: flags.StoreUrl = None,
    store_secret: flags.StoreSecret = None,
    namespace: flags.Namespace = None,
    context: flags.Context = None,
    kubeconfig: flags.Kubeconfig = None,
) -> None:
    """Upload photos for SplatJobs to name, and create none."""
    from splatworks_common.artifacts.uri import S3Uri
    from splatworks_operator.cluster.store_access import StoreAccess, open_store
    from splatworks_operator.cluster.uploads import upload_each
    from splatworks_operator.photos import check

    async def work(connection: Connection | None) -> Uploaded:
        access = StoreAccess(store_url, uri.bucket, store_secret)
        async with open_store(access, connection) as store:
            return await asyncio.to_thread(
                upload_each, store, photos, uri, Console(stderr=True), overwrite=overwrite
            )

    with told(ERRORS):
        check(photos)
        uri = S3Uri.parse(address)
        if not uri.key:
            raise typer.BadParameter(
                f"{address} is a whole bucket; add a prefix, as in s3://bucket/photos/garden/."
            )
        if store_secret is None:  # then no cluster is needed
            sent = run_until_signal(lambda: work(None))
        else:
            sent = on_cluster(Target(kubeconfig, context, namespace), work)
        renamed = f", {sent.renamed} under another name" if sent.renamed else ""
        typer.echo(f"Uploaded {sent.photos} photos ({sent.bytes / 1e6:,.1f} MB) to {uri}/{renamed}")
        typer.echo(f"Make a scene of them with: splatworks submit {uri}/")
