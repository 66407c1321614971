from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_sfm.config import Matching, SfmOptions
from splatworks_sfm.exif import Exif
from splatworks_sfm.ingest import Photo
from splatworks_sfm.matching import capture_order, plan_matching, sequential_pairs, tiles
from tests.unit.sfm.pictures import photo


def numbered(count: int) -> list[Photo]:
    return [photo(f"frame_{number:04d}.jpg") for number in range(count)]


def unordered(count: int) -> list[Photo]:
    return [photo(f"{number**3 + 7919 * number}.jpg") for number in range(count)]


@pytest.mark.parametrize(
    ("photos", "matching", "expected"),
    [
        (numbered(60), Matching.AUTO, Matching.EXHAUSTIVE),
        (numbered(61), Matching.AUTO, Matching.SEQUENTIAL),
        (unordered(61), Matching.AUTO, Matching.EXHAUSTIVE),
        (numbered(61), Matching.EXHAUSTIVE, Matching.EXHAUSTIVE),
        (numbered(5), Matching.SEQUENTIAL, Matching.SEQUENTIAL),
        (unordered(5), Matching.SEQUENTIAL, Matching.SEQUENTIAL),
    ],
)
def test_matching_is_sequential_for_many_photos_in_order(
    photos: list[Photo], matching: Matching, expected: Matching
) -> None:
    assert plan_matching(photos, SfmOptions(matching=matching)).method is expected


def test_exhaustive_matching_has_every_pair_once() -> None:
    plan = plan_matching(numbered(9), SfmOptions())

    assert plan.pairs == list(combinations(range(9), 2))


def test_times_decide_the_order_before_names() -> None:
    photos = [photo(f"{n}.jpg", Exif(taken=f"2026-01-01T10:00:{10 - n:02d}")) for n in range(3)]

    order = capture_order(photos)

    assert order is not None
    assert [p.name for p in order] == ["2.jpg", "1.jpg", "0.jpg"]


def test_numbers_decide_by_value_and_may_have_gaps() -> None:
    photos = [photo(f"IMG_{number}.jpg") for number in (98, 99, 100, 101, 103, 97, 110)]

    order = capture_order(photos)

    assert order is not None
    assert [p.name for p in order][:4] == ["IMG_97.jpg", "IMG_98.jpg", "IMG_99.jpg", "IMG_100.jpg"]


@pytest.mark.parametrize(
    "names",
    [
        ["a.jpg", "b.jpg", "c.jpg"],
        ["a1.jpg", "b2.jpg", "c3.jpg"],
        ["1.jpg", "900.jpg", "40000.jpg", "40001.jpg", "9000000.jpg", "70000.jpg"],
        ["x/1.jpg", "y/1.jpg", "x/2.jpg"],
    ],
)
def test_nothing_tells_the_order_of_such_names(names: list[str]) -> None:
    assert capture_order([photo(name) for name in names]) is None


def test_times_that_are_mostly_equal_tell_nothing() -> None:
    photos = [photo(name, Exif(taken="2026-01-01T10:00:00")) for name in ("a.jpg", "b.jpg", "c.jpg")]

    assert capture_order(photos) is None


def test_sequential_pairs_are_neighbours_and_loops() -> None:
    pairs = sequential_pairs(100, 3)

    assert {(10, 11), (10, 12), (10, 13), (0, 95)} <= set(pairs)
    assert (11, 16) not in pairs
    assert len(pairs) < 500


@given(count=st.integers(2, 60), overlap=st.integers(1, 20))
def test_tiles_cut_pairs_without_loss(count: int, overlap: int) -> None:
    pairs = sequential_pairs(count, overlap)

    cut = [pair for tile in tiles(pairs) for pair in tile]

    assert sorted(cut) == pairs
    assert all(0 <= first < second < count for first, second in pairs)
