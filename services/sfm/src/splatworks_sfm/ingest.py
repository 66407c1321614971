"""Turns whatever people call photos into plain photos: upright 8-bit sRGB JPEGs without metadata.

Everything after this step may assume that each file in the folder decodes, has no orientation tag, is within
the size limits and is there once, and that a mask has the size of its photo. What can not be used is skipped
with a reason, never an error: COLMAP by itself would use half a truncated file, find nothing in a photo whose
mask has another size, and say nothing. Decoding is Pillow's, which lets go of the interpreter lock, so plain
threads run in parallel; results are gathered in the order of the sources, so they do not depend on timing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base

from splatworks_common.progress import Report, Update
from splatworks_common.reasons import InputInvalid, TooFewImages
from splatworks_sfm import masks
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.exif import Exif, read_exif
from splatworks_sfm.sources import Skipped, Source, safe_names

pillow_heif.register_heif_opener()

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF", "AVIF")
_PHOTO = "a photo (JPEG, PNG, WebP, TIFF, BMP, HEIC and AVIF are read)"
_FEWEST = 3
"""Two photos have a relative pose but nothing that confirms it."""
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@dataclass(frozen=True)
class Photo:
    """A photo that can be used.

    Attributes:
        name: Its file name in the ingested folder.
        original: What its owner calls it.
        width, height: Size in pixels, upright, after reduction.
        exif: What it said about itself.
        masked: Whether parts of it are ignored.
    """

    name: str
    original: str
    width: int
    height: int
    exif: Exif
    masked: bool = False


@dataclass(frozen=True)
class Ingested:
    """The photos in their owner's order, and what was left out."""

    photos: list[Photo]
    skipped: list[Skipped]


class _UnusableError(Exception):
    """A photo is left out; the message is the reason shown to its owner."""


def ingest(
    sources: Sequence[Source], folder: Path, mask_folder: Path, options: SfmOptions, report: Report
) -> Ingested:
    """Writes every usable source as a JPEG into the new folder ``folder``, and masks into ``mask_folder``.

    Raises:
        InputInvalid: More files than ``options.max_photos``.
    """
    if len(sources) > options.max_photos:
        raise InputInvalid(
            f"{len(sources)} files were given and at most {options.max_photos} are taken; send fewer"
        )
    folder.mkdir(parents=True)
    mask_folder.mkdir(parents=True)
    photos: list[Photo] = []
    skipped: list[Skipped] = []
    first_with: dict[bytes, str] = {}
    total = max(1, len(sources))
    report(Update("ingest", 0, total, "Reading your photos", unit="photos"))
    names = safe_names([source.name for source in sources])
    with ThreadPoolExecutor(options.threads) as pool:
        ingest_one = partial(_ingest_one, folder=folder, mask_folder=mask_folder, options=options)
        outcomes = pool.map(ingest_one, sources, names)
        for done, (source, outcome) in enumerate(zip(sources, outcomes, strict=True), start=1):
            if isinstance(outcome, Skipped):
                skipped.append(outcome)
            else:
                photo, digest = outcome
                original = first_with.setdefault(digest, source.name)
                if original == source.name:
                    photos.append(photo)
                else:
                    (folder / photo.name).unlink()
                    masks.mask_path(mask_folder, photo.name).unlink(missing_ok=True)
                    skipped.append(Skipped(source.name, f"it is the same picture as {original}"))
            report(Update("ingest", done, total, "Reading your photos", unit="photos"))
    return Ingested(photos, skipped)


def require_enough(photos: Sequence[Photo], skipped: Sequence[Skipped]) -> None:
    """Stops where there are too few photos to reconstruct anything.

    Raises:
        TooFewImages: Fewer than three; the message counts and gives the reasons of the skipped ones.
    """
    if len(photos) >= _FEWEST:
        return
    shown = "; ".join(f"{skip.name}: {skip.reason}" for skip in skipped[:5])
    more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    found = f"{len(photos)} usable of {len(photos) + len(skipped)} files"
    raise TooFewImages(
        f"A scene needs at least {_FEWEST} photos (20 or more are better) and there are {found}"
        + (f" ({shown}{more})" if shown else "")
    )


def _ingest_one(
    source: Source, name: str, *, folder: Path, mask_folder: Path, options: SfmOptions
) -> tuple[Photo, bytes] | Skipped:
    """Writes one photo and its mask; returns it with the digest of its pixels, or why it is left out."""
    try:
        image, mask, exif = _decode(source, options)
    except _UnusableError as unusable:
        return Skipped(source.name, str(unusable))
    image.info.clear()  # comments and XMP, which Pillow would carry over
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=options.jpeg_quality, subsampling=0)
    (folder / name).write_bytes(buffer.getbuffer())
    if mask is not None:
        mask.save(masks.mask_path(mask_folder, name))
    digest = hashlib.sha256(buffer.getbuffer()).digest()
    return Photo(name, source.name, image.width, image.height, exif, mask is not None), digest


def _decode(source: Source, options: SfmOptions) -> tuple[Image.Image, Image.Image | None, Exif]:
    """Decodes a file to an upright RGB picture within the size limits, and its mask if it has one."""
    with _open(source.path, options) as image:
        scale = _judge_size(image.width, image.height, options)
        exif = read_exif(image)
        target = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        mask = _read_mask(source.mask, image, options) if source.mask else None
        if scale < 1:
            image.draft(None, target)  # a JPEG decodes at half or quarter size for a fraction of the time
        with _damage_is_a_reason():
            upright = ImageOps.exif_transpose(image)
    # The header's size decided; draft and orientation have changed what image.size says since.
    long, short = max(target), min(target)
    size = (long, short) if upright.width >= upright.height else (short, long)
    try:
        alpha = masks.of_alpha(upright)
        picture = _to_rgb(upright, size)
    except ValueError as error:
        raise _UnusableError(f"its colours can not be converted ({error})") from error
    mask = masks.fitted(masks.common(mask, alpha), size)
    if mask and not mask.getbbox():
        raise _UnusableError("nothing of it is used: its mask is black or it is transparent everywhere")
    if mask and alpha:
        # Black, because that is what the renderer puts where there is nothing.
        picture.paste("black", mask=ImageOps.invert(mask))
    return picture, mask, exif


def _open(
    path: Path, options: SfmOptions, formats: tuple[str, ...] = _FORMATS, kind: str = _PHOTO
) -> Image.Image:
    """Reads a file's header."""
    try:
        with Image.open(path, formats=formats) as image:
            image.verify()  # the checksums of a PNG, which decoding does not look at
        return Image.open(path, formats=formats)
    except UnidentifiedImageError as error:
        raise _UnusableError(f"it is not {kind}") from error
    except Image.DecompressionBombError as error:
        raise _UnusableError(f"it has over {options.max_photo_pixels / 1e6:.0f} million pixels") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise _UnusableError(f"it is damaged and can not be opened ({error})") from error


def _read_mask(source: Source, photo: Image.Image, options: SfmOptions) -> Image.Image:
    """Decodes the mask of an opened photo, and turns it as the photo will be turned."""
    with _damage_is_a_reason():
        orientation = photo.getexif().get(Base.Orientation, 1)
    # Pillow gives the size of a TIFF upright, of anything else as stored.
    across = photo.format == "TIFF" and orientation in (5, 6, 7, 8)
    stored = photo.size[::-1] if across else photo.size
    try:
        with _open(source.path, options, ("PNG",), "a PNG") as picture:
            if picture.size != stored:  # and so it is not larger than a photo may be
                raise _UnusableError(
                    f"it has {picture.width} x {picture.height} pixels and the photo, as it is stored, "
                    f"{stored[0]} x {stored[1]}"
                )
            with _damage_is_a_reason():
                return masks.of_file(picture, orientation)
    except _UnusableError as unusable:
        raise _UnusableError(f"its mask {source.name} can not be used: {unusable}") from unusable


@contextmanager
def _damage_is_a_reason() -> Iterator[None]:
    """For decoding: Pillow's decoders raise a dozen types for damaged files; all mean the same here."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise _UnusableError(f"it is damaged and can not be decoded ({error})") from error


def _judge_size(width: int, height: int, options: SfmOptions) -> float:
    """How much a photo of this size is reduced (1 for not at all)."""
    if width * height > options.max_photo_pixels:
        raise _UnusableError(
            f"it has {width} x {height} pixels and {options.max_photo_pixels / 1e6:.0f} million is the limit"
        )
    scale = min(1.0, options.max_photo_size / max(width, height))
    if min(width, height) * scale < options.min_photo_side:
        raise _UnusableError(f"it is too small or too narrow ({width} x {height} pixels)")
    return scale


def _to_rgb(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Converts any mode to 8-bit sRGB at ``size`` (width, height), without transparency."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, np.uint16) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise _UnusableError("it has 32 bits per pixel and no known range; save it with 8 or 16 bits")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        if image.size != size and image.getchannel("A").getextrema() != (255, 255):
            # With its alpha, by which colours are weighed: what is transparent does not bleed.
            image = image.resize(size, Image.Resampling.LANCZOS)
        image = image.convert("RGB")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _to_srgb(image, profile).convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        # The profile is broken, or of another colour space than the picture: its colours stand.
        return image
    return image if converted is None else converted
