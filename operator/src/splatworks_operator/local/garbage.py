"""Keeps the local store from growing with every run: forgets jobs whose results nobody can reach any more.

A job is kept while the stage cache or a published scene points into it. What is left are the copies that
later runs made of reused results, and the photos and remains of runs that failed or were stopped.
"""

from __future__ import annotations

import json

from splatworks_common.artifacts.store import ArtifactStore

JOBS, CACHE, SCENES = "jobs", "cache", "scenes"


def collect(store: ArtifactStore) -> int:
    """Deletes every unreachable job of the store's bucket. No job may be running.

    Returns:
        How many jobs were deleted.
    """
    pointers = [
        store.get_bytes(store.uri(entry.key))
        for folder in (CACHE, SCENES)
        for entry in store.list_objects(store.uri(folder))
    ]
    reachable = {job for pointer in pointers for job in _jobs_in(pointer)}
    jobs = {entry.key.split("/")[1] for entry in store.list_objects(store.uri(JOBS))}
    for job in sorted(jobs - reachable):
        store.delete_prefix(store.uri(f"{JOBS}/{job}"))
    for entry in list(store.list_objects(store.uri(JOBS))):
        if entry.key.split("/")[2] == "source":
            store.delete_prefix(store.uri(entry.key.rpartition("/")[0]))  # the photos themselves are at hand
    return len(jobs - reachable)


def _jobs_in(pointer: bytes) -> set[str]:
    """The jobs that a cache pointer or a scene's record names."""
    try:
        values = json.loads(pointer).values()
    except (ValueError, AttributeError):
        return set()
    parts = [value.split("/") for value in values if isinstance(value, str) and value.startswith("s3://")]
    return {part[4] for part in parts if len(part) > 4 and part[3] == JOBS}
