"""Manifests and digests: round trips, what identity means, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.artifacts.manifest import (
    Manifest,
    ManifestFile,
    files_digest,
    input_digest,
    media_type,
)
from splatworks_common.reasons import InputInvalid

DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FILES = st.lists(
    st.builds(
        ManifestFile,
        path=st.from_regex(r"f[a-z0-9]{0,8}\.bin", fullmatch=True),
        bytes=st.integers(0, 2**45),
        sha256=DIGESTS,
        media_type=st.sampled_from(["image/webp", "application/json"]),
    ),
    unique_by=lambda file: file.path,
    max_size=5,
)
MANIFESTS = st.builds(
    Manifest,
    stage=st.sampled_from(["sfm", "trainer"]),
    stage_version=st.sampled_from(["1", "2.0"]),
    input_digest=DIGESTS,
    files=FILES,
    created=st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),
    seconds=st.floats(0, 1e6),
    metrics=st.dictionaries(st.text(max_size=8), FINITE, max_size=4),
)

FILE = ManifestFile(path="model.ply", bytes=3, sha256="a" * 64, media_type="application/octet-stream")
MANIFEST = Manifest(
    stage="trainer",
    stage_version="1",
    input_digest="b" * 64,
    files=[FILE],
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    seconds=1.5,
    metrics={"psnr": 29.25},
)


@given(manifest=MANIFESTS)
def test_a_manifest_survives_json(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_the_json_is_what_the_design_names() -> None:
    assert json.loads(MANIFEST.to_json()) == {
        "version": 1,
        "stage": "trainer",
        "stageVersion": "1",
        "inputDigest": "b" * 64,
        "files": [
            {"path": "model.ply", "bytes": 3, "sha256": "a" * 64, "mediaType": "application/octet-stream"}
        ],
        "metrics": {"psnr": 29.25},
        "timing": {"created": "2026-01-02T03:04:05Z", "seconds": 1.5},
    }


def test_time_is_written_in_utc() -> None:
    elsewhere = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))

    assert replace(MANIFEST, created=elsewhere).to_json() == MANIFEST.to_json()


@given(files=FILES, seed=st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_files(files: list[ManifestFile], seed: Any) -> None:
    shuffled = list(files)
    seed.shuffle(shuffled)

    assert files_digest(shuffled) == files_digest(files)


def test_the_digest_is_of_names_and_contents_only() -> None:
    later = replace(MANIFEST, created=MANIFEST.created + timedelta(days=1), seconds=9, metrics={})

    assert later.digest() == MANIFEST.digest()
    assert replace(MANIFEST, files=[replace(FILE, sha256="c" * 64)]).digest() != MANIFEST.digest()
    assert replace(MANIFEST, files=[replace(FILE, path="b.ply")]).digest() != MANIFEST.digest()


def test_the_digest_is_the_one_that_stored_artifacts_have() -> None:
    assert MANIFEST.digest() == "016f3d6c455acb0190c51a1957174f2f885d72e5d9877e81dbd2a0c91c77d9cf"


def test_the_input_digest_is_the_one_that_cached_results_have() -> None:
    digest = input_digest("sfm", "1", ["a" * 64], {"size": 1600, "matcher": "auto"})

    assert digest == "0f8dd7e4401f80206bfc735f4049705fb365849899c689f19b3b60be75e592ab"


def test_the_input_digest_depends_on_every_part() -> None:
    digests = {
        input_digest("sfm", "1", ["a", "b"], {"size": 1}),
        input_digest("trainer", "1", ["a", "b"], {"size": 1}),
        input_digest("sfm", "2", ["a", "b"], {"size": 1}),
        input_digest("sfm", "1", ["b", "a"], {"size": 1}),
        input_digest("sfm", "1", ["ab"], {"size": 1}),
        input_digest("sfm", "1", ["a", "b"], {"size": 2}),
        input_digest("sfm", "1", ["a", "b"], {"size": "1"}),
    }

    assert len(digests) == 7


def test_parameters_that_are_not_json_have_no_digest() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        input_digest("sfm", "1", [], {"size": float("nan")})


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "SFM"},
        {"stage_version": ""},
        {"input_digest": "xyz"},
        {"seconds": -1.0},
        {"seconds": float("inf")},
        {"metrics": {"psnr": float("nan")}},
        {"created": datetime(2026, 1, 1)},
        {"files": [FILE, FILE]},
        {"files": [FILE, replace(FILE, path="model.ply/x")]},
        {"files": [replace(FILE, path="../model.ply")]},
        {"files": [replace(FILE, path="manifest.json")]},
        {"files": [replace(FILE, bytes=-1)]},
        {"files": [replace(FILE, sha256="A" * 64)]},
    ],
    ids=str,
)
def test_a_manifest_that_says_nonsense_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(InputInvalid):
        replace(MANIFEST, **change)


def changed_json(**changes: Any) -> bytes:
    return json.dumps({**json.loads(MANIFEST.to_json()), **changes}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        changed_json(version=2),
        changed_json(stage=None),
        changed_json(files={}),
        changed_json(files=[{"path": "a"}]),
        changed_json(files=[{"path": "a", "bytes": "3", "sha256": "a" * 64, "mediaType": "x"}]),
        changed_json(files=[{"path": "a", "bytes": True, "sha256": "a" * 64, "mediaType": "x"}]),
        changed_json(timing={}),
        changed_json(timing={"created": "yesterday", "seconds": 1}),
        changed_json(metrics={"psnr": []}),
    ],
    ids=lambda data: data[:30].decode("latin-1"),
)
def test_json_that_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(InputInvalid):
        Manifest.from_json(data)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.JPG", "image/jpeg"),
        ("meta.json", "application/json"),
        ("means_l.webp", "image/webp"),
        ("static/icon.svg", "image/svg+xml"),
        ("model.ply", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_media_types_follow_the_name(name: str, expected: str) -> None:
    assert media_type(name) == expected
