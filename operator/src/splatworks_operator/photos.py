"""A person's photos as the one .zip that the sfm stage is given.

A zip keeps the names that people gave their photos, which object keys can not hold. It is stored, not
deflated, and the same photos give the same bytes, so that a second run finds the first one's results.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path, PurePath

from splatworks_common.photos import is_named_like_a_photo
from splatworks_common.reasons import InputInvalid, InputNotFound

_EPOCH = (1980, 1, 1, 0, 0, 0)
_COPY_BYTES = 1 << 20
_SAYS_NOTHING = {"images", "photos", "input", "jpg"}


def check(photos: Path) -> None:
    """Tells early whether there is anything to work on.

    Raises:
        InputNotFound: There is nothing at ``photos``.
        InputInvalid: It is a file, but no .zip.
    """
    if not photos.exists():
        raise InputNotFound(f"There is nothing at {photos}; give a folder of photos or a .zip of them.")
    if photos.is_file() and photos.suffix.lower() != ".zip":
        raise InputInvalid(f"{photos} is neither a folder of photos nor a .zip of them.")


def pack(photos: Path, archive: Path, *, without: Collection[Path]) -> None:
    """Writes every photo below the folder ``photos`` into the zip ``archive``.

    Files named like something else, hidden files and links are left out. Whether a file can be used is for
    the sfm stage to say.

    Args:
        photos: The folder.
        archive: The zip to write.
        without: Folders whose files are left out: earlier results may lie among the photos.

    Raises:
        InputNotFound: There are no photos.
    """
    files = find(photos, without=without)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for number, path in enumerate(files):
            entry = zipfile.ZipInfo(_entry_name(path.relative_to(photos), number), _EPOCH)
            with path.open("rb") as source, target.open(entry, "w", force_zip64=True) as sink:
                while block := source.read(_COPY_BYTES):
                    sink.write(block)


def find(photos: Path, *, without: Collection[Path]) -> list[Path]:
    """Every photo below the folder ``photos``, sorted; what ``pack`` takes.

    Raises:
        InputNotFound: There are no photos.
    """
    results = [folder.resolve() for folder in without]
    files = sorted(path for path in photos.rglob("*") if _is_photo(path, photos, results))
    if not files:
        raise no_photos(photos)
    return files


def is_hidden(path: PurePath) -> bool:
    """Whether a path, relative to the photos' folder, is hidden, as macOS hides its own files in a zip."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def no_photos(photos: Path) -> InputNotFound:
    """The error where a folder or zip has none."""
    return InputNotFound(f"There are no photos in {photos}; give a folder of photos or a .zip of them.")


def scene_slug(photos: Path) -> str:
    """A name for URLs and folders, from the name of the photos' folder or zip.

    A folder called ``images`` or ``photos`` says nothing, so its parent's name is taken.
    """
    path = photos.resolve()
    name = path.stem if path.is_file() else path.name
    if name.lower() in _SAYS_NOTHING:
        name = path.parent.name
    return slug(name)


def slug(name: str) -> str:
    """A name for URLs and folders, from any name.

    Example:
        >>> slug("The workshop, in detail")
        'the-workshop-in-detail'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-") or "scene"


def _is_photo(path: Path, photos: Path, results: Sequence[Path]) -> bool:
    if (
        is_hidden(path.relative_to(photos))
        or path.is_symlink()
        or not path.is_file()
        or not is_named_like_a_photo(path.name)
    ):
        return False
    whole = path.resolve()
    return not any(whole.is_relative_to(folder) for folder in results)


def _entry_name(path: Path, number: int) -> str:
    name = path.as_posix()
    portable = name.encode("utf-8", "replace").decode().replace("\\", "_")
    # A name that had to be changed could meet another one; its number tells them apart.
    return (
        name
        if portable == name
        else f"{path.parent.as_posix()}/{number:05d}-{Path(portable).name}".lstrip("./")
    )
