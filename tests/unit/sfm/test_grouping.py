import math

import pytest

from splatworks_sfm.exif import Exif
from splatworks_sfm.grouping import group_by_camera
from tests.unit.sfm.pictures import photo


def test_photos_without_exif_share_a_camera_by_size() -> None:
    groups = group_by_camera([photo("a.jpg"), photo("b.jpg", width=480, height=640), photo("c.jpg")])

    assert [group.photos for group in groups] == [["a.jpg", "c.jpg"], ["b.jpg"]]
    assert groups[0].focal_pixels is None


@pytest.mark.parametrize("other", [Exif(make="B"), Exif(make="A", model="2"), Exif(make="A", focal_mm=5.0)])
def test_another_camera_or_zoom_is_another_group(other: Exif) -> None:
    groups = group_by_camera([photo("a.jpg", Exif(make="A")), photo("b.jpg", other)])

    assert len(groups) == 2


def test_the_focal_length_is_in_pixels_of_the_ingested_photos() -> None:
    exif = Exif(focal_35mm=26, focal_over_diagonal=0.6)

    groups = group_by_camera([photo("a.jpg", exif, 3200, 2400), photo("b.jpg", exif, 2400, 3200)])

    assert [group.focal_pixels for group in groups] == [pytest.approx(0.6 * math.hypot(3200, 2400))] * 2
