import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from splatworks_common.progress import Update, silent
from splatworks_common.reasons import InputInvalid, TooFewImages
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.ingest import Ingested, ingest, require_enough
from splatworks_sfm.sources import Skipped, find_sources
from tests.unit.sfm.pictures import jpeg_bytes, photo, picture, pixels


def ingested(tmp_path: Path, **options: object) -> Ingested:
    """Ingests what the test has put into ``tmp_path/in``."""
    sources, _ = find_sources(tmp_path / "in")
    return ingest(sources, tmp_path / "out", tmp_path / "masks", SfmOptions(**options), silent)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def as_16_bit_grey(path: Path) -> None:
    grey = np.asarray(picture().convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(path, "PNG")


FORMATS: dict[str, Callable[[Path], None]] = {
    "jpeg": lambda path: picture().save(path, "JPEG", quality=95),
    "progressive jpeg": lambda path: picture().save(path, "JPEG", quality=95, progressive=True),
    "png": lambda path: picture().save(path, "PNG"),
    "webp": lambda path: picture().save(path, "WEBP", quality=95),
    "tiff": lambda path: picture().save(path, "TIFF", compression="tiff_lzw"),
    "bmp": lambda path: picture().save(path, "BMP"),
    "avif": lambda path: picture().save(path, "AVIF", quality=95),
    "heic": lambda path: pillow_heif.from_pillow(picture()).save(path, quality=95),
    "cmyk jpeg": lambda path: picture().convert("CMYK").save(path, "JPEG", quality=95),
    "opaque rgba png": lambda path: picture().convert("RGBA").save(path, "PNG"),
    "palette png": lambda path: picture().quantize(256).save(path, "PNG"),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_colour_picture_of_any_format_becomes_the_same_jpeg(
    tmp_path: Path, folder: Path, kind: str
) -> None:
    FORMATS[kind](folder / "photo.bin")

    result = ingested(tmp_path)

    assert result.skipped == []
    with Image.open(tmp_path / "out" / result.photos[0].name) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (320, 256))
    error = np.abs(pixels(tmp_path / "out/photo.jpg") - np.asarray(picture()).astype(int))
    assert error.mean() < 4


@pytest.mark.parametrize(
    "save",
    [
        as_16_bit_grey,
        lambda path: picture().convert("L").save(path, "PNG"),
        lambda path: picture().convert("LA").save(path, "PNG"),
        lambda path: picture().convert("L").save(path, "JPEG", quality=95),
    ],
    ids=["16-bit", "8-bit", "with alpha", "jpeg"],
)
def test_a_grey_picture_keeps_its_tones(tmp_path: Path, folder: Path, save: Callable[[Path], None]) -> None:
    save(folder / "photo.bin")

    ingested(tmp_path)

    grey = np.asarray(picture().convert("L")).astype(int)
    assert np.abs(pixels(tmp_path / "out/photo.jpg") - grey[:, :, None]).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_baked_in(tmp_path: Path, folder: Path, orientation: int) -> None:
    undo = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    stored = picture() if undo is None else picture().transpose(undo)
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    stored.save(folder / "photo.jpg", quality=95, exif=exif)

    result = ingested(tmp_path)

    assert (result.photos[0].width, result.photos[0].height) == (320, 256)
    assert np.abs(pixels(tmp_path / "out/photo.jpg") - np.asarray(picture()).astype(int)).mean() < 4
    with Image.open(tmp_path / "out/photo.jpg") as image:
        assert dict(image.getexif()) == {}


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(
    tmp_path: Path, folder: Path, orientation: int
) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    picture().save(folder / "photo.jpg", exif=exif)

    assert ingested(tmp_path).photos[0].width == 320


def test_metadata_is_kept_in_the_record_and_not_in_the_file(tmp_path: Path, folder: Path) -> None:
    exif = Image.Exif()
    exif[Base.Make] = "Maker"
    exif.get_ifd(IFD.Exif)[Base.FocalLengthIn35mmFilm] = 28
    picture().save(folder / "photo.jpg", exif=exif, comment=b"private")

    result = ingested(tmp_path)

    assert (result.photos[0].exif.make, result.photos[0].exif.focal_35mm) == ("Maker", 28)
    content = (tmp_path / "out/photo.jpg").read_bytes()
    assert b"Exif" not in content
    assert b"private" not in content


def test_a_colour_profile_is_applied(tmp_path: Path, folder: Path) -> None:
    # A profile whose red and blue primaries are swapped: the right colours have their channels swapped.
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile = profile.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    profile = profile.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be")).replace(
        b"sRGB", b"test"
    )
    picture().save(folder / "photo.png", icc_profile=bytes(profile))

    ingested(tmp_path)

    swapped = np.asarray(picture()).astype(int)[:, :, ::-1]
    assert np.abs(pixels(tmp_path / "out/photo.jpg") - swapped).mean() < 6


@pytest.mark.parametrize(
    "profile", [b"no profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
def test_a_colour_profile_that_does_not_fit_leaves_the_colours(
    tmp_path: Path, folder: Path, profile: bytes
) -> None:
    picture().save(folder / "photo.png", icc_profile=profile)

    ingested(tmp_path)

    assert np.abs(pixels(tmp_path / "out/photo.jpg") - np.asarray(picture()).astype(int)).mean() < 4


FAULTS: dict[str, tuple[bytes, str]] = {
    "truncated": (jpeg_bytes()[: len(jpeg_bytes()) // 2], "damaged"),
    "header only": (jpeg_bytes()[:100], "damaged|not a photo"),
    "empty": (b"", "not a photo"),
    "text": (b"not a picture at all", "not a photo"),
    "video": (b"\0\0\0\x18ftypmp42" + bytes(500), "not a photo"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a photo"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_skipped_with_a_reason(tmp_path: Path, folder: Path, fault: str) -> None:
    content, reason = FAULTS[fault]
    (folder / "bad.jpg").write_bytes(content)
    (folder / "good.jpg").write_bytes(jpeg_bytes())

    result = ingested(tmp_path)

    assert [photo.name for photo in result.photos] == ["good.jpg"]
    assert [skip.name for skip in result.skipped] == ["bad.jpg"]
    assert any(word in result.skipped[0].reason for word in reason.split("|"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.jpg"]


def test_a_damaged_png_is_skipped(tmp_path: Path, folder: Path) -> None:
    buffer = io.BytesIO()
    picture().save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    content[len(content) // 2] ^= 0xFF
    (folder / "bad.png").write_bytes(content)

    assert "damaged" in ingested(tmp_path).skipped[0].reason


def test_a_picture_with_too_many_pixels_is_skipped_by_its_header(tmp_path: Path, folder: Path) -> None:
    Image.new("1", (1100, 1000)).save(folder / "bomb.png")

    result = ingested(tmp_path, max_photo_pixels=1_000_000)

    assert "1100 x 1000" in result.skipped[0].reason


@pytest.mark.parametrize("size", [(1, 1), (255, 400), (6000, 300)])
def test_a_small_or_narrow_picture_is_skipped(tmp_path: Path, folder: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(folder / "small.png")

    assert "too small or too narrow" in ingested(tmp_path).skipped[0].reason


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize(("size", "expected"), [((1600, 900), (800, 450)), ((900, 1600), (450, 800))])
def test_a_large_picture_is_reduced(
    tmp_path: Path, folder: Path, suffix: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    picture(*size).save(folder / f"photo.{suffix}")

    result = ingested(tmp_path, max_photo_size=800)

    assert (result.photos[0].width, result.photos[0].height) == expected
    assert np.abs(pixels(tmp_path / "out/photo.jpg") - np.asarray(picture(*expected)).astype(int)).mean() < 4


def test_a_large_turned_picture_is_reduced_upright(tmp_path: Path, folder: Path) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    picture(1600, 900).save(folder / "photo.jpg", exif=exif)

    result = ingested(tmp_path, max_photo_size=800)

    assert (result.photos[0].width, result.photos[0].height) == (450, 800)


def test_the_same_picture_twice_is_used_once(tmp_path: Path, folder: Path) -> None:
    (folder / "a.jpg").write_bytes(jpeg_bytes())
    (folder / "b.jpg").write_bytes(jpeg_bytes(comment=b"other bytes, same pixels"))
    (folder / "c.jpg").write_bytes(jpeg_bytes(seed=1))

    result = ingested(tmp_path)

    assert [photo.original for photo in result.photos] == ["a.jpg", "c.jpg"]
    assert result.skipped == [Skipped("b.jpg", "it is the same picture as a.jpg")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "c.jpg"]


def test_the_result_does_not_depend_on_threads(tmp_path: Path, folder: Path) -> None:
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(jpeg_bytes(seed=number))
    sources, _ = find_sources(folder)

    one = ingest(sources, tmp_path / "one", tmp_path / "masks_1", SfmOptions(threads=1), silent)
    four = ingest(sources, tmp_path / "four", tmp_path / "masks_4", SfmOptions(threads=4), silent)

    assert one == four
    assert all(
        (tmp_path / "one" / p.name).read_bytes() == (tmp_path / "four" / p.name).read_bytes()
        for p in one.photos
    )


def test_progress_counts_files(tmp_path: Path, folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(jpeg_bytes(seed=number))
    updates: list[Update] = []

    ingest(find_sources(folder)[0], tmp_path / "out", tmp_path / "masks", SfmOptions(), updates.append)

    assert [(update.done, update.total) for update in updates] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_too_many_files_are_refused(tmp_path: Path, folder: Path) -> None:
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(b"")

    with pytest.raises(InputInvalid, match="4 files"):
        ingested(tmp_path, max_photos=3)


def test_too_few_photos_are_counted_with_the_reasons_of_the_others() -> None:
    skipped = [Skipped(f"{number}.jpg", "it is damaged") for number in range(7)]

    with pytest.raises(TooFewImages) as few:
        require_enough([photo("a.jpg"), photo("b.jpg")], skipped)

    message = str(few.value)
    assert "2 usable of 9 files" in message
    assert "0.jpg: it is damaged" in message
    assert "and 2 more" in message


def test_three_photos_are_enough() -> None:
    require_enough([photo("a.jpg"), photo("b.jpg"), photo("c.jpg")], [])
