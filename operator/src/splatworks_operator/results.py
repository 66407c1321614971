"""A finished stage's files on a person's disk: all of them, verified, or none."""

from __future__ import annotations

import shutil
from pathlib import Path

from splatworks_common.artifacts.manifest import MANIFEST_NAME
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.transfer import OnProgress
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid


def fetch(store: ArtifactStore, uri: S3Uri, target: Path, *, on_progress: OnProgress | None = None) -> None:
    """Fetches a stage's result with its manifest into the folder ``target``, which it replaces once whole.

    Raises:
        InputNotFound: The stage has not finished, or its files were deleted.
        InputInvalid: A file is not what the manifest says.
    """
    fresh = target.with_name(f".{target.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    manifest = store.download_artifact(uri, fresh, on_progress=on_progress)
    (fresh / MANIFEST_NAME).write_bytes(manifest.to_json())
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def check_replaceable(folder: Path) -> None:
    """Refuses a folder that ``fetch`` has not made.

    Raises:
        InputInvalid: There is such a folder.
    """
    if folder.exists() and not (folder / MANIFEST_NAME).is_file():
        raise InputInvalid(f"{folder} is not a result of an earlier run; choose another folder with -o.")
