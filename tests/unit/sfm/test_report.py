from splatworks_sfm.report import warnings_for
from splatworks_sfm.sources import Skipped


def test_a_good_capture_gives_no_warning() -> None:
    assert warnings_for(40, 40, [40], []) == []


def test_few_photos_are_worth_a_word() -> None:
    assert "19 photos are few" in warnings_for(19, 19, [19], [])[0]


def test_unplaced_photos_are_counted() -> None:
    assert "9 of 40 photos" in warnings_for(40, 31, [31], [])[0]


def test_separate_scenes_are_counted() -> None:
    assert "2 separate scenes" in warnings_for(40, 36, [36, 4], [])[0]


def test_a_mask_of_no_photo_is_named() -> None:
    assert "masks/a.png is not used" in warnings_for(40, 40, [40], [Skipped("masks/a.png", "it is alone")])[0]
