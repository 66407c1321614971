"""``s3://`` addresses, and the keys that mean the same on every store.

What Splatworks writes stays in the subset on which MinIO, SeaweedFS and file systems agree: segments of
``[A-Za-z0-9._-]``, none empty, ``.`` or ``..``, at most 1024 bytes, and no key that is also the folder of
another. A person's own photos may be named otherwise; those keys are only ever read, and
``safe_relative_path`` decides whether one may become a local file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from splatworks_common.reasons import InputInvalid

MAX_KEY_BYTES = 1024
MAX_NAME_BYTES = 255
"""The longest file name that ext4, XFS, APFS and NTFS all take."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_KEY = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")


@dataclass(frozen=True, order=True)
class S3Uri:
    """A bucket and a portable key or prefix in it.

    Attributes:
        bucket: 3 to 63 of ``[a-z0-9-]``, beginning and ending with a letter or digit.
        key: Without slashes at its ends; empty for the whole bucket.
    """

    bucket: str
    key: str

    def __post_init__(self) -> None:
        if not _BUCKET.fullmatch(self.bucket):
            raise InputInvalid(
                f"'{self.bucket[:80]}' is not a bucket name: use 3 to 63 lower-case letters, "
                "digits and hyphens"
            )
        if self.key:
            check_key(self.key)

    @classmethod
    def parse(cls, text: str) -> S3Uri:
        """Reads ``s3://bucket/key``; one slash at the end is allowed and dropped.

        Example:
            >>> S3Uri.parse("s3://splatworks/jobs/fox/").key
            'jobs/fox'

        Raises:
            InputInvalid: Not an ``s3://`` address, or the bucket or key is not portable.
        """
        scheme, separator, rest = text.partition("://")
        if scheme != "s3" or not separator:
            raise InputInvalid(f"'{text[:200]}' is not an object store address; write s3://bucket/prefix")
        bucket, _, key = rest.partition("/")
        return cls(bucket, key.removesuffix("/"))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def __truediv__(self, relative: str) -> S3Uri:
        """The address of ``relative`` beneath this one."""
        return S3Uri(self.bucket, f"{self.key}/{relative}" if self.key else relative)

    @property
    def prefix(self) -> str:
        """What every key beneath begins with: ends with a slash unless it is the whole bucket."""
        return f"{self.key}/" if self.key else ""


def check_key(key: str) -> None:
    """Accepts only keys that every store takes and none rewrites.

    Raises:
        InputInvalid: The key is not portable; the message names it and the rule.
    """
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise InputInvalid(f"the key '{key[:80]}...' is longer than {MAX_KEY_BYTES} bytes")
    if not _KEY.fullmatch(key):
        raise InputInvalid(
            f"the key {key!r} is not portable: use letters, digits, '.', '_' and '-', parted by single "
            "slashes, none of them at the beginning or end"
        )
    for segment in key.split("/"):
        if segment in (".", ".."):
            raise InputInvalid(f"the key '{key}' has the segment '{segment}'; write the path without it")
        if len(segment) > MAX_NAME_BYTES:
            raise InputInvalid(f"the key '{key[:80]}...' has a segment longer than {MAX_NAME_BYTES} bytes")


def check_keys(keys: Iterable[str]) -> None:
    """Accepts a set of keys that are each portable, all different, and none the folder of another.

    Raises:
        InputInvalid: Naming the first offender.
    """
    seen: set[str] = set()
    for key in keys:
        check_key(key)
        if key in seen:
            raise InputInvalid(f"the key '{key}' appears twice")
        seen.add(key)
    _check_no_folder_is_a_file(seen)


def safe_relative_paths(keys: Iterable[str]) -> dict[str, PurePosixPath]:
    """Maps keys that somebody else wrote, relative to their prefix, to paths that cannot leave a folder.

    Example:
        >>> safe_relative_paths(["day 1/IMG (2).jpg"])
        {'day 1/IMG (2).jpg': PurePosixPath('day 1/IMG (2).jpg')}

    Raises:
        InputInvalid: A key would leave the folder, has a character no file name may have, is too long, or
            is both a file and a folder.
    """
    paths = {key: safe_relative_path(key) for key in keys}
    _check_no_folder_is_a_file(set(paths))
    return paths


def safe_relative_path(key: str) -> PurePosixPath:
    """The local path for one key, relative to the folder it is downloaded to.

    Raises:
        InputInvalid: As ``safe_relative_paths``.
    """
    for segment in key.split("/"):
        if segment.strip() in ("", ".", ".."):
            raise InputInvalid(f"the object {key!r} cannot become a file: it has the segment {segment!r}")
        if _NOT_IN_A_NAME.search(segment):
            raise InputInvalid(
                f"the object {key!r} cannot become a file: its name has control characters or backslashes"
            )
        if len(segment.encode()) > MAX_NAME_BYTES:
            raise InputInvalid(
                f"the object {key[:80]!r}... has a name longer than {MAX_NAME_BYTES} bytes; rename it"
            )
    return PurePosixPath(key)


def _check_no_folder_is_a_file(keys: set[str]) -> None:
    for key in sorted(keys):
        folder = key
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if folder in keys:
                raise InputInvalid(
                    f"'{folder}' is both an object and the folder of '{key}'; rename one of them"
                )
