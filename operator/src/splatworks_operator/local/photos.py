"""A person's photos as the one .zip that the sfm stage is given.

A zip keeps the names that people gave their photos, which object keys can not hold. It is stored, not
deflated, and the same photos give the same bytes, so that a second run finds the first one's results.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from splatworks_common.reasons import InputNotFound

_EPOCH = (1980, 1, 1, 0, 0, 0)
_COPY_BYTES = 1 << 20

OnProgress = Callable[[int, int], None]
"""Called with files packed and files in all."""


def pack(photos: Path, archive: Path, on_progress: OnProgress) -> None:
    """Writes every file below the folder ``photos`` into the zip ``archive``.

    Hidden files and links are left out; whether a file is a photo is for the sfm stage to say.

    Raises:
        InputNotFound: ``photos`` is not a folder, or has no files.
    """
    if not photos.exists():
        raise InputNotFound(f"There is nothing at {photos}; give a folder of photos or a .zip of them.")
    files = sorted(
        path
        for path in photos.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(photos).parts)
    )
    if not files:
        raise InputNotFound(f"There are no files in {photos}; give a folder of photos or a .zip of them.")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for done, path in enumerate(files):
            on_progress(done, len(files))
            entry = zipfile.ZipInfo(path.relative_to(photos).as_posix(), _EPOCH)
            with path.open("rb") as source, target.open(entry, "w", force_zip64=True) as sink:
                while block := source.read(_COPY_BYTES):
                    sink.write(block)
    on_progress(len(files), len(files))


def scene_slug(photos: Path) -> str:
    """A name for URLs and folders, from the name of the photos' folder or zip.

    A folder called ``images`` or ``photos`` says nothing, so its parent's name is taken.
    """
    path = photos.resolve()
    name = path.stem if path.is_file() else path.name
    if name.lower() in ("images", "photos", "input", "jpg"):
        name = path.parent.name
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
    return slug or "scene"
