"""What a photo's EXIF block says about its camera, place and time.

EXIF is written by thousands of devices, many of them wrong: every value is checked, and one that makes no
sense is as if it were not there. A broken block never makes a photo unusable.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

_FULL_FRAME_DIAGONAL = math.hypot(36.0, 24.0)
"""Millimetres; a 35 mm equivalent focal length is defined over the diagonal (CIPA DCG-001)."""
_MILLIMETRES_PER_UNIT = {2: 25.4, 3: 10.0}
"""Of EXIF's FocalPlaneResolutionUnit: inch, centimetre."""


@dataclass(frozen=True)
class GpsFix:
    """Where a photo was taken: WGS84 degrees, and metres above sea level where known."""

    latitude: float
    longitude: float
    altitude: float | None


@dataclass(frozen=True)
class Exif:
    """The part of a photo's EXIF block that matters here; None or "" where it does not say.

    Attributes:
        make, model: The camera, without padding.
        focal_mm: Focal length in millimetres.
        focal_35mm: Its 35 mm equivalent in millimetres.
        focal_over_diagonal: Focal length as a fraction of the picture's diagonal: independent of later
            resizing.
        taken: When it was taken, ISO 8601, in the camera's own time zone.
        gps: Where it was taken.
    """

    make: str = ""
    model: str = ""
    focal_mm: float | None = None
    focal_35mm: float | None = None
    focal_over_diagonal: float | None = None
    taken: str | None = None
    gps: GpsFix | None = None


def read_exif(image: Image.Image) -> Exif:
    """Reads the EXIF block of an opened photo; a damaged block gives an empty ``Exif``."""
    try:
        tags = image.getexif()
        details, gps = tags.get_ifd(IFD.Exif), tags.get_ifd(IFD.GPSInfo)
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error):
        # Pillow raises these for damaged headers, offsets and types; and would again when it looks for
        # orientation.
        image.info.pop("exif", None)
        return Exif()
    focal_mm = _positive(details.get(Base.FocalLength))
    focal_35mm = _positive(details.get(Base.FocalLengthIn35mmFilm))
    return Exif(
        make=_text(tags.get(Base.Make)),
        model=_text(tags.get(Base.Model)),
        focal_mm=focal_mm,
        focal_35mm=focal_35mm,
        focal_over_diagonal=_focal_over_diagonal(focal_mm, focal_35mm, details),
        taken=_time(
            details.get(Base.DateTimeOriginal) or tags.get(Base.DateTime),
            details.get(Base.SubsecTimeOriginal),
        ),
        gps=_gps(gps),
    )


def _focal_over_diagonal(
    focal_mm: float | None, focal_35mm: float | None, details: dict[int, Any]
) -> float | None:
    if focal_35mm is not None:
        ratio = focal_35mm / _FULL_FRAME_DIAGONAL
    else:
        unit = _MILLIMETRES_PER_UNIT.get(details.get(Base.FocalPlaneResolutionUnit, 2))
        density = _positive(details.get(Base.FocalPlaneXResolution))
        width = _positive(details.get(Base.ExifImageWidth))
        height = _positive(details.get(Base.ExifImageHeight))
        if focal_mm is None or unit is None or density is None or width is None or height is None:
            return None
        ratio = focal_mm * density / unit / math.hypot(width, height)
    # From a 150 degree lens to a 1000 mm telephoto; anything else is a wrong tag, worse than none.
    return ratio if 0.13 < ratio < 25 else None


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # or TypeError
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _text(value: object) -> str:
    return value.split("\0")[0].strip()[:64] if isinstance(value, str) else ""


def _time(value: object, fraction: object) -> str | None:
    try:
        moment = datetime.strptime(_text(value), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    digits = _text(fraction)
    return moment.isoformat() + (f".{digits}" if digits.isascii() and digits.isdecimal() else "")


def _gps(tags: dict[int, Any]) -> GpsFix | None:
    latitude = _degrees(tags.get(GPS.GPSLatitude), tags.get(GPS.GPSLatitudeRef), "S", 90)
    longitude = _degrees(tags.get(GPS.GPSLongitude), tags.get(GPS.GPSLongitudeRef), "W", 180)
    if latitude is None or longitude is None:
        return None
    altitude = _positive(tags.get(GPS.GPSAltitude))
    below = tags.get(GPS.GPSAltitudeRef) in (1, b"\x01")
    return GpsFix(latitude, longitude, -altitude if altitude is not None and below else altitude)


def _degrees(value: object, hemisphere: object, negative: str, limit: float) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in value)  # type: ignore[attr-defined]  # or TypeError
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    angle = degrees + minutes / 60 + seconds / 3600
    if not 0 <= angle <= limit:
        return None
    return -angle if _text(hemisphere).upper() == negative else angle
