"""The stage cache: finished artifacts found again by the digest of what they were made from.

``cache/{stage}/{inputDigest}`` is a small object that points to an artifact. It is a hint: the artifact may
have been deleted since, so a pointer counts only after its manifest and files are seen to be there.
Publishing the same digest twice is harmless; the later pointer stands.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from splatworks_common.artifacts.manifest import Manifest
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid, InputNotFound

_VERSION = 1


@dataclass(frozen=True)
class CacheHit:
    """A finished artifact made from the same input.

    Attributes:
        uri: Its prefix.
        manifest: Its manifest.
    """

    uri: S3Uri
    manifest: Manifest


class StageCache:
    """The cache in the bucket of one store.

    Example:
        >>> hit = cache.lookup("sfm", digest)
        >>> if hit:
        ...     store.copy_prefix(hit.uri, target, hit.manifest.files)
    """

    def __init__(self, store: ArtifactStore) -> None:
        """Uses ``store`` for every request."""
        self._store = store

    def lookup(self, stage: str, input_digest: str) -> CacheHit | None:
        """The artifact published for this digest, if it is still whole.

        Returns:
            None where nothing was published, the pointer or the manifest cannot be read, the manifest is
            another stage's or digest's, or a file that it names is missing or has another size.
        """
        try:
            document = json.loads(self._store.get_bytes(self._pointer(stage, input_digest)))
            uri = S3Uri.parse(document["uri"])
            manifest = self._store.read_manifest(uri)
        except (InputNotFound, InputInvalid, ValueError, KeyError, TypeError, AttributeError):
            return None
        if manifest is None or (manifest.stage, manifest.input_digest) != (stage, input_digest):
            return None
        sizes = {entry.key: entry.bytes for entry in self._store.list_objects(uri)}
        if any(sizes.get(uri.prefix + file.path) != file.bytes for file in manifest.files):
            return None
        return CacheHit(uri, manifest)

    def publish(self, manifest: Manifest, uri: S3Uri) -> None:
        """Lets later lookups of the manifest's stage and input digest find the artifact at ``uri``.

        Call it after ``ArtifactStore.commit``.
        """
        document = {"version": _VERSION, "uri": str(uri)}
        self._store.put_bytes(
            self._pointer(manifest.stage, manifest.input_digest), (json.dumps(document) + "\n").encode()
        )

    def _pointer(self, stage: str, input_digest: str) -> S3Uri:
        return self._store.uri(f"cache/{stage}/{input_digest}")
