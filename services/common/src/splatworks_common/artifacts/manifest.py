"""What a stage wrote, and the digests by which inputs and outputs are known.

A manifest is written once, after every file it names, and never changed. It validates itself when it is
made, so a ``Manifest`` that exists is one that may be written or trusted. All digests are lower-case hex
SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from splatworks_common.artifacts.uri import check_keys
from splatworks_common.reasons import InputInvalid

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1
MAX_FILES = 100_000

_DIGEST = re.compile(r"[0-9a-f]{64}")
_STAGE = re.compile(r"[a-z][a-z0-9-]{0,31}")

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".log": "text/plain; charset=utf-8",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".zip": "application/zip",
}


def media_type(path: str) -> str:
    """The media type for a file name; the same on every machine, unlike the ``mimetypes`` module."""
    return _MEDIA_TYPES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")


@dataclass(frozen=True)
class ManifestFile:
    """One file of an artifact.

    Attributes:
        path: Relative to the artifact's prefix, with forward slashes.
        bytes: Size.
        sha256: Digest of the content, lower-case hex.
        media_type: What an HTTP server sends it as.
    """

    path: str
    bytes: int
    sha256: str
    media_type: str


@dataclass(frozen=True)
class Manifest:
    """A finished stage's result.

    Attributes:
        stage: The stage's name (``"sfm"``).
        stage_version: The version of the stage's algorithm; part of ``input_digest``.
        input_digest: What the result was made from; see ``input_digest``.
        files: Every file, sorted by path; ``manifest.json`` itself is not among them.
        created: When the stage ended; with a time zone.
        seconds: How long the stage took.
        metrics: Figures a person asks for first (``{"psnr": 29.4}``); finite numbers.
    """

    stage: str
    stage_version: str
    input_digest: str
    files: Sequence[ManifestFile]
    created: datetime
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(_STAGE.fullmatch(self.stage), f"stage '{self.stage}' is not a short lower-case name")
        _require(0 < len(self.stage_version) <= 64, "stageVersion must have 1 to 64 characters")
        _require(_DIGEST.fullmatch(self.input_digest), "inputDigest is not a SHA-256 in hex")
        _require(self.created.tzinfo is not None, "created has no time zone")
        _require(math.isfinite(self.seconds) and self.seconds >= 0, "seconds is not a duration")
        _require(all(map(math.isfinite, self.metrics.values())), "a metric is not a finite number")
        _require(len(self.files) <= MAX_FILES, f"it names more than {MAX_FILES} files")
        check_keys([*(file.path for file in self.files), MANIFEST_NAME])
        for file in self.files:
            _require(file.bytes >= 0, f"{file.path} has {file.bytes} bytes")
            _require(_DIGEST.fullmatch(file.sha256), f"the sha256 of {file.path} is not one in hex")
        object.__setattr__(self, "files", tuple(sorted(self.files, key=lambda file: file.path)))

    def digest(self) -> str:
        """The digest of the outputs: the same files give the same one, whenever and wherever made."""
        return files_digest(self.files)

    def to_json(self) -> bytes:
        """Serialises the manifest, the same bytes for the same manifest."""
        document = {
            "version": FORMAT_VERSION,
            "stage": self.stage,
            "stageVersion": self.stage_version,
            "inputDigest": self.input_digest,
            "files": [
                {"path": file.path, "bytes": file.bytes, "sha256": file.sha256, "mediaType": file.media_type}
                for file in self.files
            ],
            "metrics": dict(self.metrics),
            "timing": {
                "created": self.created.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                "seconds": self.seconds,
            },
        }
        return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Reads what ``to_json`` wrote.

        Raises:
            InputInvalid: It is not a manifest, or of a version this program does not know.
        """
        try:
            document = json.loads(data)
            version = document["version"]
            if version != FORMAT_VERSION:
                raise InputInvalid(f"the manifest has version {version}, this program reads {FORMAT_VERSION}")
            return cls(
                stage=_typed(document, "stage", str),
                stage_version=_typed(document, "stageVersion", str),
                input_digest=_typed(document, "inputDigest", str),
                files=[
                    ManifestFile(
                        path=_typed(row, "path", str),
                        bytes=_typed(row, "bytes", int),
                        sha256=_typed(row, "sha256", str),
                        media_type=_typed(row, "mediaType", str),
                    )
                    for row in _typed(document, "files", list)
                ],
                created=datetime.fromisoformat(_typed(document["timing"], "created", str)),
                seconds=float(document["timing"]["seconds"]),
                metrics={str(key): float(value) for key, value in _typed(document, "metrics", dict).items()},
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputInvalid(
                f"the manifest cannot be read: {error!r}; delete it and run the stage again"
            ) from error


def files_digest(files: Iterable[ManifestFile]) -> str:
    """SHA-256 over the sorted (path, sha256) pairs: names a set of files whatever prefix it lies under."""
    return _json_digest(sorted([file.path, file.sha256] for file in files))


def input_digest(
    stage: str, stage_version: str, inputs: Sequence[str], parameters: Mapping[str, object]
) -> str:
    """The digest that decides whether a stage would do the same work again.

    Example:
        >>> input_digest("trainer", "1", [sfm_manifest.digest()], dataclasses.asdict(options))

    Args:
        stage: The stage's name.
        stage_version: Changes whenever the stage's code would give another result for the same input.
        inputs: Digests of the inputs, in the stage's own fixed order.
        parameters: The effective parameters (defaults filled in); JSON values only.

    Raises:
        ValueError, TypeError: A parameter is not a JSON value.
    """
    return _json_digest([stage, stage_version, list(inputs), dict(parameters)])


def _json_digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _require(condition: object, complaint: str) -> None:
    if not condition:
        raise InputInvalid(f"the manifest is not valid: {complaint}")


def _typed(row: Any, key: str, kind: type[Any]) -> Any:
    value = row[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{key} is not of type {kind.__name__}")
    return value
