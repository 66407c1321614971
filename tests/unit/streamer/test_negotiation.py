"""Conditions and encodings: the small parts of HTTP."""

from __future__ import annotations

import pytest

from splatworks_streamer.web.encodings import choose_encoding
from splatworks_streamer.web.validators import etag, is_unmodified, wants_range

TAG = etag("abc")


@pytest.mark.parametrize("header", ['"abc"', 'W/"abc"', '"x", "abc"', "*", ' "abc" '])
def test_content_the_client_has_is_unmodified(header: str) -> None:
    assert is_unmodified(header, TAG)


@pytest.mark.parametrize("header", [None, "", "abc", '"abcd"', '"x", "y"'])
def test_content_the_client_has_not_is_modified(header: str | None) -> None:
    assert not is_unmodified(header, TAG)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, True),
        ('"abc"', True),
        ('W/"abc"', False),
        ('"x"', False),
        ("Mon, 04 May 2026 12:30:00 GMT", False),
    ],
)
def test_a_range_is_wanted_only_of_the_same_content(header: str | None, wanted: bool) -> None:
    assert wants_range(header, TAG) is wanted


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("BR ; q=0.5", "br"),
        ("*", "br"),
        ("*;q=0, gzip", "gzip"),
        ("gzip;q=0", "identity"),
        ("gzip;q=much", "identity"),
        ("zstd", "identity"),
    ],
)
def test_the_smallest_encoding_that_the_client_takes_is_chosen(header: str | None, encoding: str) -> None:
    assert choose_encoding(header, {"identity", "gzip", "br"}) == encoding


def test_an_encoding_that_is_not_there_is_not_chosen() -> None:
    assert choose_encoding("br, gzip", {"identity", "gzip"}) == "gzip"
