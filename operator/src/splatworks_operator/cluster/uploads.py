"""A person's photos on their way to the object store."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.transfer import OnProgress
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.photos import is_named_like_a_photo
from splatworks_common.reasons import InputInvalid
from splatworks_operator.cluster.errors import ClusterError
from splatworks_operator.cluster.photo_keys import portable_keys
from splatworks_operator.photos import find, is_hidden, no_photos, pack

_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Uploaded:
    """What ``upload_each`` sent.

    Attributes:
        photos: How many.
        bytes: How large all of them are.
        renamed: How many got another name.
    """

    photos: int
    bytes: int
    renamed: int


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


def upload_each(
    store: ArtifactStore, photos: Path, uri: S3Uri, console: Console, *, overwrite: bool
) -> Uploaded:
    """Sends every photo of a folder or .zip to an object of its own beneath a prefix.

    A name stays where an object can have it; else it is made portable.

    Args:
        store: Where to.
        photos: The folder or .zip.
        uri: The prefix.
        console: Hears of bytes.
        overwrite: Whether objects of the same names are replaced. Others stay in any case.

    Raises:
        InputNotFound: There are no photos.
        InputInvalid: The .zip can not be read.
        ClusterError: There are objects of the same names already.
        StorageUnavailable: The store does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="splatworks-photos-") as scratch:
        if photos.is_dir():
            named = {path.relative_to(photos).as_posix(): path for path in find(photos, without=[])}
        else:
            named = _unpack(photos, Path(scratch))
        keys = portable_keys(list(named))
        if not overwrite:
            _check_absent(store, uri, keys)
        files = {keys[name]: path for name, path in named.items()}
        with transfer_bar(console, "Uploading") as bar:
            rows = store.upload_files(files, uri, on_progress=following(bar))
    renamed = sum(name != key for name, key in keys.items())
    return Uploaded(len(rows), sum(row.bytes for row in rows), renamed)


def _check_absent(store: ArtifactStore, uri: S3Uri, keys: Mapping[str, str]) -> None:
    there = {entry.key.removeprefix(uri.prefix) for entry in store.list_objects(uri)}
    if taken := sorted(there.intersection(keys.values())):
        raise ClusterError(
            f"{len(taken)} of {len(keys)} photos are at {uri}/ already, such as {taken[0]}: choose another "
            "address, or replace them with --overwrite."
        )


def _unpack(archive: Path, folder: Path) -> dict[str, Path]:
    """The photos of a .zip by their names in it, as files in ``folder`` under names of no meaning."""
    found: dict[str, Path] = {}
    try:
        with zipfile.ZipFile(archive) as source:
            for number, entry in enumerate(source.infolist()):
                path = PurePosixPath(entry.filename)
                if entry.is_dir() or is_hidden(path) or not is_named_like_a_photo(path.name):
                    continue
                file = folder / str(number)
                with source.open(entry) as photo, file.open("wb") as sink:
                    shutil.copyfileobj(photo, sink, _COPY_BYTES)
                found[entry.filename] = file
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # damaged, foreign, encrypted
        raise InputInvalid(f"{archive} can not be read ({error}); unpack it and give the folder.") from error
    if not found:
        raise no_photos(archive)
    return found


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
