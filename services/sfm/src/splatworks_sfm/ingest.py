"""Turns whatever people call photos into plain photos: upright 8-bit sRGB JPEGs without metadata.

Everything after this step may assume that each file in the folder decodes, has no orientation tag, is within
the size limits and is there once. What can not be used is skipped with a reason, never an error: COLMAP by
itself would use half a truncated file and say nothing. Decoding is Pillow's, which lets go of the interpreter
lock, so plain threads run in parallel; results are gathered in the order of the sources, so they do not
depend on timing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from splatworks_common.progress import Report, Update
from splatworks_common.reasons import InputInvalid, TooFewImages
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.exif import Exif, read_exif
from splatworks_sfm.sources import Skipped, Source, safe_names

pillow_heif.register_heif_opener()

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF", "AVIF")
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
    """

    name: str
    original: str
    width: int
    height: int
    exif: Exif


@dataclass(frozen=True)
class Ingested:
    """The photos in their owner's order, and what was left out."""

    photos: list[Photo]
    skipped: list[Skipped]


class _UnusableError(Exception):
    """A photo is left out; the message is the reason shown to its owner."""


def ingest(sources: Sequence[Source], folder: Path, options: SfmOptions, report: Report) -> Ingested:
    """Writes every usable source as a JPEG into the new folder ``folder``.

    Raises:
        InputInvalid: More files than ``options.max_photos``.
    """
    if len(sources) > options.max_photos:
        raise InputInvalid(
            f"{len(sources)} files were given and at most {options.max_photos} are taken; send fewer"
        )
    folder.mkdir(parents=True)
    photos: list[Photo] = []
    skipped: list[Skipped] = []
    first_with: dict[bytes, str] = {}
    total = max(1, len(sources))
    report(Update("ingest", 0, total, "Reading your photos", unit="photos"))
    names = safe_names([source.name for source in sources])
    with ThreadPoolExecutor(options.threads) as pool:
        outcomes = pool.map(partial(_ingest_one, folder=folder, options=options), sources, names)
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
    source: Source, name: str, *, folder: Path, options: SfmOptions
) -> tuple[Photo, bytes] | Skipped:
    """Writes one photo; returns it with the digest of its pixels, or why it is left out."""
    try:
        image, exif = _decode(source.path, options)
    except _UnusableError as unusable:
        return Skipped(source.name, str(unusable))
    image.info.clear()  # comments and XMP, which Pillow would carry over
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=options.jpeg_quality, subsampling=0)
    (folder / name).write_bytes(buffer.getbuffer())
    digest = hashlib.sha256(buffer.getbuffer()).digest()
    return Photo(name, source.name, image.width, image.height, exif), digest


def _decode(path: Path, options: SfmOptions) -> tuple[Image.Image, Exif]:
    """Decodes a file to an upright RGB picture within the size limits."""
    with _open(path, options) as image:
        scale = _judge_size(image.width, image.height, options)
        exif = read_exif(image)
        target = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        if scale < 1:
            image.draft(None, target)  # a JPEG decodes at half or quarter size for a fraction of the time
        upright = _load_upright(image)
    # The header's size decided; draft and orientation have changed what image.size says since.
    long, short = max(target), min(target)
    size = (long, short) if upright.width >= upright.height else (short, long)
    try:
        return _to_rgb(upright, size), exif
    except ValueError as error:
        raise _UnusableError(f"its colours can not be converted ({error})") from error


def _open(path: Path, options: SfmOptions) -> Image.Image:
    """Reads a file's header."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            image.verify()  # the checksums of a PNG, which decoding does not look at
        return Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise _UnusableError(
            "it is not a photo (JPEG, PNG, WebP, TIFF, BMP, HEIC and AVIF are read)"
        ) from error
    except Image.DecompressionBombError as error:
        raise _UnusableError(f"it has over {options.max_photo_pixels / 1e6:.0f} million pixels") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise _UnusableError(f"it is damaged and can not be opened ({error})") from error


def _load_upright(image: Image.Image) -> Image.Image:
    """Decodes every pixel and bakes the orientation in."""
    try:
        image.load()
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's decoders raise a dozen types for damaged files; all mean the same here.
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
    """Converts any mode to 8-bit sRGB at ``size`` (width, height)."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, np.uint16) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise _UnusableError("it has 32 bits per pixel and no known range; save it with 8 or 16 bits")
    elif image.has_transparency_data:
        # Black, because that is what the renderer puts where there is nothing.
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer).convert("RGB")
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
