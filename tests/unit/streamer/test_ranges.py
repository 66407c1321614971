from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_streamer.web.ranges import ByteRange, RangeNotSatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "start", "length"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-4", 2, 3),
        ("bytes=5-", 5, 5),
        ("bytes=5-99", 5, 5),
        ("bytes=-3", 7, 3),
        ("bytes=-99", 0, 10),
        ("Bytes = 2-4", 2, 3),
    ],
)
def test_a_range_is_understood(header: str, start: int, length: int) -> None:
    assert parse_range(header, 10) == ByteRange(start, length, 10)


@pytest.mark.parametrize(
    "header", [None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=4-2", "items=0-1", "bytes=0x1-2"]
)
def test_nonsense_and_other_units_mean_the_whole_file(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=0-1,3-4", "bytes=0-1,"])
def test_a_range_that_can_not_be_served_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 10)


def test_no_range_of_an_empty_file_can_be_served() -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range("bytes=0-", 0)


@given(st.integers(0, 50), st.integers(0, 60), st.integers(1, 50))
def test_a_range_selects_what_a_slice_would(first: int, last: int, size: int) -> None:
    try:
        part = parse_range(f"bytes={first}-{last}", size)
    except RangeNotSatisfiable:
        assert first >= size
        return
    expected = range(size)[first : last + 1]
    assert part is None if last < first else part == ByteRange(first, len(expected), size)


@given(st.text(max_size=30), st.integers(0, 50))
def test_no_header_leads_out_of_the_file(header: str, size: int) -> None:
    try:
        part = parse_range(f"bytes={header}", size)
    except RangeNotSatisfiable:
        return
    assert part is None or (part.length >= 1 and part.start >= 0 and part.start + part.length <= size)


def test_content_range_names_first_last_and_size() -> None:
    assert ByteRange(2, 3, 10).content_range == "bytes 2-4/10"
