"""Object store addresses: what is accepted is portable, and no key that is read can leave its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.artifacts.uri import (
    S3Uri,
    check_key,
    check_keys,
    safe_relative_path,
    safe_relative_paths,
)
from splatworks_common.reasons import InputInvalid

SEGMENTS = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True).filter(lambda text: text not in (".", ".."))
KEYS = st.lists(SEGMENTS, min_size=1, max_size=6).map("/".join)
BUCKETS = st.from_regex(r"[a-z0-9][a-z0-9-]{1,30}[a-z0-9]", fullmatch=True)


@given(bucket=BUCKETS, key=st.one_of(st.just(""), KEYS))
def test_an_address_is_its_own_text(bucket: str, key: str) -> None:
    uri = S3Uri(bucket, key)

    assert S3Uri.parse(str(uri)) == uri


@given(key=st.text(max_size=30))
def test_an_accepted_key_is_one_that_no_store_rewrites(key: str) -> None:
    try:
        check_key(key)
    except InputInvalid:
        return

    assert key.isascii()
    assert all(segment not in ("", ".", "..") for segment in key.split("/"))
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/")


@given(key=KEYS)
def test_portable_keys_are_accepted(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        "a b",
        "a\\b",
        "a\0",
        "a\n",
        "ü",
        "a" * 256,
        "ab/" * 400,
    ],
)
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(InputInvalid):
        check_key(key)


@pytest.mark.parametrize(
    "text",
    [
        *("", "bucket/key", "http://bucket/key", "s3:/bucket", "s3://", "s3://B/x", "s3://ab", "s3://a_b/x"),
        *("s3://bucket//x", "s3://bucket/x//", "s3://bucket/../x", "s3://-ab/x", "s3://user@host/x"),
    ],
)
def test_texts_that_are_no_address_are_refused(text: str) -> None:
    with pytest.raises(InputInvalid):
        S3Uri.parse(text)


def test_a_slash_at_the_end_is_dropped() -> None:
    assert S3Uri.parse("s3://bucket/photos/") == S3Uri("bucket", "photos")
    assert S3Uri.parse("s3://bucket/") == S3Uri.parse("s3://bucket") == S3Uri("bucket", "")


def test_addresses_beneath_are_joined_with_one_slash() -> None:
    assert str(S3Uri("bucket", "jobs") / "fox/model.ply") == "s3://bucket/jobs/fox/model.ply"
    assert str(S3Uri("bucket", "") / "jobs") == "s3://bucket/jobs"


def test_a_join_cannot_leave_the_prefix() -> None:
    with pytest.raises(InputInvalid):
        S3Uri("bucket", "jobs") / "../secret"


def test_the_prefix_does_not_match_a_longer_name() -> None:
    assert not "jobs/fox2/a".startswith(S3Uri("bucket", "jobs/fox").prefix)


@pytest.mark.parametrize("keys", [["a", "a"], ["a", "a/b"], ["x/y/z", "x/y"], ["a/b/c/d", "a"]])
def test_keys_that_collide_are_refused(keys: list[str]) -> None:
    with pytest.raises(InputInvalid):
        check_keys(keys)


def test_keys_that_only_share_a_beginning_do_not_collide() -> None:
    check_keys(["a.b", "a/b", "ab", "a-b/c"])


@given(key=st.text(max_size=40))
def test_a_safe_path_stays_in_its_folder(key: str) -> None:
    root = Path("/scratch/photos")
    try:
        path = safe_relative_path(key)
    except InputInvalid:
        return

    assert not path.is_absolute()
    assert ".." not in path.parts
    assert (root / path).resolve().is_relative_to(root)
    assert (root / path) != root


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/./x",
        "a//x",
        "C:\\x",
        "a\0b",
        "a\nb",
        "a/ /b",
        "\ud800",
        "é" * 128,
    ],
)
def test_keys_that_cannot_be_files_are_refused(key: str) -> None:
    with pytest.raises(InputInvalid):
        safe_relative_path(key)


def test_names_as_people_give_them_become_files() -> None:
    paths = safe_relative_paths(["day 1/IMG (2).jpg", "Küche/ñ+1.JPG"])

    assert [str(path) for path in paths.values()] == ["day 1/IMG (2).jpg", "Küche/ñ+1.JPG"]


def test_an_object_that_is_also_a_folder_is_refused() -> None:
    with pytest.raises(InputInvalid, match="both an object and the folder"):
        safe_relative_paths(["a b", "a b/c.jpg"])
