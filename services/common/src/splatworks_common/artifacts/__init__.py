"""Artifacts in an S3-compatible object store: addresses, manifests, transfers and the stage cache.

A stage's result is a prefix of files with a ``manifest.json`` that is written last; the manifest alone
decides that the stage is done. Only the subset of S3 that MinIO and SeaweedFS share is used.

- ``uri``: ``s3://`` addresses and the rules for portable keys.
- ``manifest``: what a stage wrote, and the digests that name inputs and outputs.
- ``settings``: which store, with which credentials, how patient.
- ``store``: ``ArtifactStore``, what everything else calls.
- ``cache``: results found again by the digest of their inputs.
- ``retry``, ``requests``, ``stream``: the parts the store is made of.
"""
