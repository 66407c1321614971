"""Which pixels of a photo are ignored: who has a mask, and what ingest makes of it."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import Base

from splatworks_common.progress import silent
from splatworks_sfm.archive import unpack
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.ingest import Ingested, ingest
from splatworks_sfm.masks import pair_masks
from splatworks_sfm.sources import Source, find_sources
from tests.unit.sfm.pictures import picture, pixels

CORNER = (200, 160, 320, 256)
"""Left, top, right and bottom of what the tests ignore: the lower right corner of a photo of 320 x 256."""


def corner_mask() -> Image.Image:
    mask = Image.new("L", (320, 256), 255)
    mask.paste(0, CORNER)
    return mask


def cut_out() -> Image.Image:
    """The picture, with a transparent corner in which white is hidden."""
    cut = picture().convert("RGBA")
    cut.paste((255, 255, 255, 0), CORNER)
    return cut


def masks_of(*names: str) -> dict[str, str | None]:
    """The masks of the photos in a source of these files."""
    photos, _ = pair_masks([Source(Path("file"), name) for name in names])
    return {photo.name: photo.mask.name if photo.mask else None for photo in photos}


def ingested(folder: Path, **options: object) -> Ingested:
    """Ingests ``folder/in``."""
    sources, _ = pair_masks(find_sources(folder / "in")[0])
    settings = SfmOptions(**options)  # type: ignore[arg-type]
    return ingest(sources, folder / "out", folder / "masks", settings, silent)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in/masks").mkdir(parents=True)
    return tmp_path / "in"


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("a.jpg", "masks/a.png"),
        ("a.jpg", "masks/a.jpg.png"),
        ("A.JPG", "Masks/a.Png"),
        ("day 1/a.jpg", "day 1/masks/a.png"),
        ("images/a.jpg", "masks/a.jpg.png"),
        ("left/a.jpg", "masks/left/a.jpg.png"),
        ("images/left/a.jpg", "masks/left/a.png"),
    ],
)
def test_a_mask_is_found_beside_the_photo_and_where_datasets_keep_it(photo: str, mask: str) -> None:
    assert masks_of(photo, "other.jpg", mask) == {photo: mask, "other.jpg": None}


def test_the_more_exact_name_and_the_nearer_folder_win() -> None:
    assert masks_of("x/a.jpg", "x/masks/a.jpg.png", "x/masks/a.png", "masks/a.png") == {
        "x/a.jpg": "x/masks/a.jpg.png"
    }
    assert masks_of("x/a.jpg", "x/masks/a.png", "masks/a.jpg.png") == {"x/a.jpg": "x/masks/a.png"}


def test_what_is_among_the_masks_is_never_a_photo_and_named_where_it_belongs_to_none() -> None:
    names = ["a.jpg", "masks/a.png", "masks/b.png", "masks/c.jpg", "masks/deep/a.jpg"]

    photos, orphans = pair_masks([Source(Path("file"), name) for name in names])

    assert [photo.name for photo in photos] == ["a.jpg"]
    assert [orphan.name for orphan in orphans] == ["masks/b.png", "masks/c.jpg", "masks/deep/a.jpg"]
    assert "no photo" in orphans[0].reason


@given(st.lists(st.lists(st.sampled_from(["a", "B", "masks", "a.png", "."]), min_size=1).map("/".join)))
def test_every_file_is_a_photo_a_mask_or_named(names: list[str]) -> None:
    sources = [Source(Path("file"), name) for name in names]

    photos, orphans = pair_masks(sources)

    used = {photo.mask.name for photo in photos if photo.mask}
    assert {photo.name for photo in photos} | used | {orphan.name for orphan in orphans} == set(names)
    assert not used & {orphan.name for orphan in orphans}


def test_a_mask_file_gives_the_photo_a_mask_and_leaves_its_pixels(tmp_path: Path, folder: Path) -> None:
    picture().save(folder / "a.jpg", quality=95)
    corner_mask().save(folder / "masks/a.png")
    (tmp_path / "plain/in").mkdir(parents=True)
    shutil.copy(folder / "a.jpg", tmp_path / "plain/in")

    result = ingested(tmp_path)
    ingested(tmp_path / "plain")

    assert [photo.masked for photo in result.photos] == [True]
    assert (pixels(tmp_path / "masks/a.jpg.png") == np.asarray(corner_mask())).all()
    assert (tmp_path / "out/a.jpg").read_bytes() == (tmp_path / "plain/out/a.jpg").read_bytes()


def test_a_zip_is_read_alike(tmp_path: Path, folder: Path) -> None:
    picture().save(folder / "a.jpg", quality=95)
    corner_mask().save(folder / "masks/a.jpg.png")
    archive = Path(shutil.make_archive(str(tmp_path / "photos"), "zip", folder))

    sources, orphans = pair_masks(unpack(archive, tmp_path / "unpacked", SfmOptions()))
    result = ingest(sources, tmp_path / "out", tmp_path / "masks", SfmOptions(), silent)

    assert (len(result.photos), result.skipped, orphans) == (1, [], [])
    assert (pixels(tmp_path / "masks/a.jpg.png") == np.asarray(corner_mask())).all()


MODES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "bilevel": lambda mask: mask.convert("1"),
    "0 and 1": lambda mask: mask.point(lambda grey: grey // 255),
    "colour": lambda mask: mask.convert("RGB"),
    "palette": lambda mask: mask.quantize(2),
    "16-bit": lambda mask: Image.fromarray(np.asarray(mask).astype(np.uint16) * 257),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_mask_of_any_mode_ignores_what_is_black(tmp_path: Path, folder: Path, mode: str) -> None:
    picture().save(folder / "a.jpg")
    MODES[mode](corner_mask()).save(folder / "masks/a.png")

    ingested(tmp_path)

    assert (pixels(tmp_path / "masks/a.jpg.png") == np.asarray(corner_mask())).all()


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
def test_what_is_transparent_is_ignored_and_black(tmp_path: Path, folder: Path, suffix: str) -> None:
    cut_out().save(folder / f"a.{suffix}", lossless=True)

    result = ingested(tmp_path)

    assert [photo.masked for photo in result.photos] == [True]
    assert (pixels(tmp_path / "masks/a.jpg.png") == np.asarray(corner_mask())).all()
    left, top, right, bottom = CORNER
    assert pixels(tmp_path / "out/a.jpg")[top + 8 : bottom, left + 8 : right].max() < 3


def test_half_transparent_pixels_count_from_the_middle_on_in_their_own_colour(
    tmp_path: Path, folder: Path
) -> None:
    photo = picture().convert("RGBA")
    photo.putalpha(Image.fromarray(np.tile(np.arange(320) * 255 // 319, (256, 1)).astype(np.uint8)))
    photo.save(folder / "a.png")

    ingested(tmp_path)

    used = pixels(tmp_path / "masks/a.jpg.png")
    assert (used == np.where(np.asarray(photo)[..., 3] >= 128, 255, 0)).all()
    error = np.abs(pixels(tmp_path / "out/a.jpg") - np.asarray(picture()).astype(int))
    assert error[:, 176:].mean() < 4


def test_mask_file_and_transparency_ignore_together(tmp_path: Path, folder: Path) -> None:
    cut_out().save(folder / "a.png")
    top = Image.new("L", (320, 256), 255)
    top.paste(0, (0, 0, 320, 50))
    top.save(folder / "masks/a.png")

    ingested(tmp_path)

    both = np.minimum(np.asarray(top), np.asarray(corner_mask()))
    assert (pixels(tmp_path / "masks/a.jpg.png") == both).all()


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_as_its_photo_is(
    tmp_path: Path, folder: Path, orientation: int, suffix: str
) -> None:
    undo = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    stored, mask = (image if undo is None else image.transpose(undo) for image in (picture(), corner_mask()))
    stored.save(folder / f"a.{suffix}", exif=exif)
    mask.save(folder / "masks/a.png")

    result = ingested(tmp_path)

    assert result.skipped == []
    assert (pixels(tmp_path / "masks/a.jpg.png") == np.asarray(corner_mask())).all()


@pytest.mark.parametrize("kind", ["mask", "alpha"])
def test_a_reduced_photos_mask_ignores_every_pixel_with_an_ignored_part(
    tmp_path: Path, folder: Path, kind: str
) -> None:
    mask = Image.new("L", (1600, 900), 255)
    mask.paste(0, (801, 403, 1101, 603))
    photo = picture(1600, 900)
    if kind == "alpha":
        photo.putalpha(mask)
    else:
        mask.save(folder / "masks/a.png")
    photo.save(folder / "a.png")

    ingested(tmp_path, max_photo_size=800)

    expected = np.full((450, 800), 255)
    expected[201:302, 400:551] = 0
    assert (pixels(tmp_path / "masks/a.jpg.png") == expected).all()
    used = expected > 0
    error = np.abs(pixels(tmp_path / "out/a.jpg") - np.asarray(picture(800, 450)).astype(int))
    assert error[used].mean() < 4


@pytest.mark.parametrize("photo", [picture(), picture().convert("RGBA")], ids=["plain", "opaque alpha"])
def test_a_photo_that_is_used_everywhere_has_no_mask(
    tmp_path: Path, folder: Path, photo: Image.Image
) -> None:
    photo.save(folder / "a.png")
    Image.new("L", (320, 256), 255).save(folder / "masks/a.png")

    result = ingested(tmp_path)

    assert [photo.masked for photo in result.photos] == [False]
    assert list((tmp_path / "masks").iterdir()) == []


def test_an_opaque_alpha_channel_changes_no_byte(tmp_path: Path) -> None:
    for name, photo in {"plain": picture(1600, 900), "opaque": picture(1600, 900).convert("RGBA")}.items():
        (tmp_path / name / "in").mkdir(parents=True)
        photo.save(tmp_path / name / "in/a.png")
        ingested(tmp_path / name, max_photo_size=800)

    assert (tmp_path / "plain/out/a.jpg").read_bytes() == (tmp_path / "opaque/out/a.jpg").read_bytes()


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


FAULTS: dict[str, tuple[bytes, str]] = {
    "wrong size": (png(Image.new("L", (319, 256), 255)), "319 x 256 pixels and the photo.* 320 x 256"),
    "turned": (png(Image.new("L", (256, 320), 255)), "256 x 320"),
    "bomb": (png(Image.new("1", (9000, 9000))), "9000 x 9000"),
    "larger bomb": (png(Image.new("1", (14_000, 14_000))), "million pixels"),
    "truncated": (png(Image.effect_noise((320, 256), 50))[:9000], "damaged"),
    "text": (b"not a picture", "not a PNG"),
    "jpeg": (jpeg(corner_mask()), "not a PNG"),
    "empty": (b"", "not a PNG"),
    "black": (png(Image.new("L", (320, 256), 0)), "nothing of it is used"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_photo_whose_mask_can_not_be_used_is_skipped_with_a_reason(
    tmp_path: Path, folder: Path, fault: str
) -> None:
    content, reason = FAULTS[fault]
    picture().save(folder / "bad.jpg")
    picture(seed=1).save(folder / "good.jpg")
    (folder / "masks/bad.png").write_bytes(content)

    result = ingested(tmp_path)

    assert [photo.name for photo in result.photos] == ["good.jpg"]
    assert [skip.name for skip in result.skipped] == ["bad.jpg"]
    assert "mask" in result.skipped[0].reason
    assert re.search(reason, result.skipped[0].reason)
    assert list((tmp_path / "masks").iterdir()) == []


def test_a_photo_that_is_transparent_everywhere_is_skipped(tmp_path: Path, folder: Path) -> None:
    Image.new("RGBA", (300, 300), (255, 200, 100, 0)).save(folder / "a.png")

    assert "transparent everywhere" in ingested(tmp_path).skipped[0].reason


def test_a_second_copy_of_a_picture_takes_its_mask_with_it(tmp_path: Path, folder: Path) -> None:
    for name in ("a", "b"):
        picture().save(folder / f"{name}.jpg")
        corner_mask().save(folder / f"masks/{name}.png")

    ingested(tmp_path)

    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["a.jpg.png"]
