"""A person's photos on their way to the object store."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.transfer import OnProgress
from splatworks_common.artifacts.uri import S3Uri
from splatworks_operator.photos import pack


def upload_uri(bucket: str, name: str) -> S3Uri:
    """A fresh address for the photos of a job."""
    return S3Uri(bucket, f"uploads/{name}-{secrets.token_hex(4)}/photos.zip")


def upload(store: ArtifactStore, photos: Path, uri: S3Uri, console: Console) -> None:
    """Sends a folder of photos, packed, or a .zip of them as it is.

    Raises:
        InputNotFound: There are no photos.
        StorageUnavailable: The store does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="splatworks-photos-") as scratch:
        archive = photos
        if photos.is_dir():
            archive = Path(scratch) / "photos.zip"
            pack(photos, archive, without=[])
        with transfer_bar(console, "Uploading") as bar:
            store.upload_file(archive, uri, on_progress=following(bar))
        size = archive.stat().st_size
    console.print(f"Uploaded {photos} ({size / 1e6:,.1f} MB)", markup=False, highlight=False, soft_wrap=True)


def transfer_bar(console: Console, title: str) -> Progress:
    """A bar for bytes on their way; not shown where there is no terminal."""
    return Progress(
        TextColumn(title),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def following(bar: Progress) -> OnProgress:
    """What moves the bar."""
    task = bar.add_task("", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)
