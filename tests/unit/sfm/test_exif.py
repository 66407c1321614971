import math

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from splatworks_sfm.exif import Exif, GpsFix, read_exif


def tagged(
    tags: dict[int, object], details: dict[int, object] | None = None, gps: dict[int, object] | None = None
) -> Exif:
    image = Image.new("RGB", (400, 300))
    exif = image.getexif()
    exif.update(tags)
    exif.get_ifd(IFD.Exif).update(details or {})
    exif.get_ifd(IFD.GPSInfo).update(gps or {})
    return read_exif(image)


def test_a_photo_without_exif_says_nothing() -> None:
    assert read_exif(Image.new("RGB", (4, 4))) == Exif()


def test_padding_is_not_part_of_a_camera_name() -> None:
    exif = tagged({Base.Make: "DJI\0\0\0", Base.Model: " FC300S \0junk"})

    assert (exif.make, exif.model) == ("DJI", "FC300S")


def test_a_35_mm_equivalent_counts_over_the_diagonal() -> None:
    exif = tagged({}, {Base.FocalLengthIn35mmFilm: 26})

    assert exif.focal_over_diagonal == pytest.approx(26 / math.hypot(36, 24))


def test_a_sensor_resolution_gives_the_focal_length_where_no_equivalent_is_known() -> None:
    # 6000 x 4000 pixels on 36 x 24 mm: 6000 / 3.6 pixels a centimetre (unit 3).
    details: dict[int, object] = {
        Base.FocalLength: 50.0,
        Base.FocalPlaneXResolution: 6000 / 3.6,
        Base.FocalPlaneResolutionUnit: 3,
        Base.ExifImageWidth: 6000,
        Base.ExifImageHeight: 4000,
    }

    assert tagged({}, details).focal_over_diagonal == pytest.approx(50 / math.hypot(36, 24))


@pytest.mark.parametrize("focal", [0, -3, float("nan"), float("inf"), "wide", (1, 2), 100_000])
def test_a_focal_length_that_makes_no_sense_is_as_if_not_there(focal: object) -> None:
    assert tagged({}, {Base.FocalLengthIn35mmFilm: focal}).focal_over_diagonal is None


def test_time_is_kept_with_its_fraction() -> None:
    exif = tagged({}, {Base.DateTimeOriginal: "2016:06:23 16:31:59", Base.SubsecTimeOriginal: "25"})

    assert exif.taken == "2016-06-23T16:31:59.25"


@pytest.mark.parametrize("taken", ["0000:00:00 00:00:00", "yesterday", "", 7])
def test_a_time_that_makes_no_sense_is_as_if_not_there(taken: object) -> None:
    assert tagged({Base.DateTime: taken}).taken is None


def test_gps_is_signed_by_hemisphere_and_sea_level() -> None:
    exif = tagged(
        {},
        gps={
            GPS.GPSLatitude: (33.0, 30.0, 36.0),
            GPS.GPSLatitudeRef: "S",
            GPS.GPSLongitude: (70.0, 0.0, 0.0),
            GPS.GPSLongitudeRef: "W",
            GPS.GPSAltitude: 12.5,
            GPS.GPSAltitudeRef: b"\x01",
        },
    )

    assert exif.gps == GpsFix(-(33 + 30 / 60 + 36 / 3600), -70.0, -12.5)


@pytest.mark.parametrize("latitude", [(91.0, 0.0, 0.0), (float("nan"),) * 3, (1.0, 2.0), "north", None])
def test_a_place_that_makes_no_sense_is_as_if_not_there(latitude: object) -> None:
    assert tagged({}, gps={GPS.GPSLatitude: latitude, GPS.GPSLongitude: (1.0, 0.0, 0.0)}).gps is None


@pytest.mark.parametrize(
    "block", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"\xff"]
)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of damaged blocks
def test_a_damaged_block_is_as_if_not_there(block: bytes) -> None:
    image = Image.new("RGB", (4, 4))
    image.info["exif"] = block

    assert read_exif(image) == Exif()
