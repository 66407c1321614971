"""Which parts of a photo are left out: by a mask beside it, and where it is transparent itself.

A mask here is an 8-bit grey picture of the photo's size: 255 where the photo is used, 0 where it is ignored.
A photo that is used everywhere has none. In folders of masks that of ``NAME.EXT`` is ``NAME.EXT.png``, as
COLMAP expects it. Where resampling mixes pixels, what an ignored one is part of is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from PIL import Image, ImageChops, ImageOps
from PIL.ExifTags import Base

from splatworks_sfm.sources import Skipped, Source

_FOLDER = "masks"
_OPAQUE = 128
"""The least alpha, of 255, that is taken for something to see."""
_WHOLE = 254
"""The least value that resampling makes of used pixels only; it may round 255 down."""


def mask_path(folder: Path, name: str) -> Path:
    """Where the mask of the photo with the file name ``name`` is, in a folder of masks."""
    return folder / f"{name}.png"


def pair_masks(sources: Sequence[Source]) -> tuple[list[Source], list[Skipped]]:
    """Tells masks from photos by their folder, and gives each photo its own.

    What is in a folder ``masks`` is never taken for a photo. Upper and lower case are the same.

    Returns:
        The photos in their order, with their masks; and the masks of no photo.

    Example:
        >>> photos, _ = pair_masks([Source(Path("1"), "a.jpg"), Source(Path("2"), "masks/a.png")])
        >>> photos[0].mask.name
        'masks/a.png'
    """
    masks = {source.name.casefold(): source for source in sources if _is_mask(source.name)}
    photos: list[Source] = []
    for source in sources:
        if not _is_mask(source.name):
            names = _mask_names(PurePosixPath(source.name.casefold()))
            photos.append(replace(source, mask=next((masks[name] for name in names if name in masks), None)))
    paired = {photo.mask.name for photo in photos if photo.mask}
    reason = "it is in a folder of masks, and there is no photo it is the mask of"
    orphans = [source.name for source in sources if _is_mask(source.name) and source.name not in paired]
    return photos, [Skipped(name, reason) for name in orphans]


def _is_mask(name: str) -> bool:
    return _FOLDER in PurePosixPath(name.casefold()).parts[:-1]


def _mask_names(photo: PurePosixPath) -> Iterator[str]:
    """What a photo's mask may be called, the likeliest first."""
    folder = photo.parent
    beside, beside_folder = folder / _FOLDER, folder.parent / _FOLDER
    # With the photos' folders repeated, as COLMAP has it: of the whole source, or of a folder in it.
    of_source, of_folder = _FOLDER / folder, PurePosixPath(_FOLDER, *folder.parts[1:])
    for place in (beside, of_source, of_folder, beside_folder):
        yield str(place / f"{photo.name}.png")
        yield str(place / f"{photo.stem}.png")


def of_file(picture: Image.Image, orientation: int) -> Image.Image:
    """The mask in a picture of any mode: what is not black is used.

    Args:
        picture: As stored, like the photo it belongs to.
        orientation: That photo's EXIF orientation, which is applied.
    """
    used = picture.convert("L").point(lambda grey: 255 if grey else 0)
    used.getexif()[Base.Orientation] = orientation
    return ImageOps.exif_transpose(used)


def of_alpha(photo: Image.Image) -> Image.Image | None:
    """The mask in a photo's own transparency, None where it has none."""
    if not photo.has_transparency_data or photo.mode.startswith("I;16"):
        return None
    alpha = photo.convert("RGBA").getchannel("A")
    return alpha.point(lambda level: 255 if level >= _OPAQUE else 0)


def common(first: Image.Image | None, second: Image.Image | None) -> Image.Image | None:
    """What two masks of the same size both use."""
    return ImageChops.darker(first, second) if first and second else first or second


def fitted(mask: Image.Image | None, size: tuple[int, int]) -> Image.Image | None:
    """The mask of the photo at ``size`` (width, height), None where it ignores nothing."""
    if mask is None:
        return None
    mask = only_whole(mask.resize(size, Image.Resampling.BOX))
    return None if mask.getextrema() == (255, 255) else mask


def only_whole(mask: Image.Image) -> Image.Image:
    """Ignores what resampling has mixed with ignored pixels."""
    return mask.point(lambda share: 255 if share >= _WHOLE else 0)
