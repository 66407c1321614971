"""Memory of a transfer: bounded by parts and threads, not by the size of the files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.uri import S3Uri

LIMIT = 64 << 20

TRANSFER = """
import resource, sys
from pathlib import Path
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

uri, folder = S3Uri.parse(sys.argv[1]), Path(sys.argv[2])
with ArtifactStore(StoreSettings.from_environment()) as store:
    store.put_bytes(uri / "warm", b"1")
    before = peak()
    store.upload_directory(folder, uri / "a")
    store.download_directory(uri / "a", folder / "back")
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@pytest.mark.parametrize("files", [1, 8])
def test_memory_does_not_grow_with_the_files(
    object_store: StoreSettings, prefix: S3Uri, tmp_path: Path, files: int
) -> None:
    for number in range(files):
        with (tmp_path / f"{number}.bin").open("wb") as file:
            file.truncate((160 << 20) // files)  # sparse: far above the limit in all, nothing on this disk

    child = subprocess.run(
        [sys.executable, "-c", TRANSFER, str(prefix), str(tmp_path)],
        env={**os.environ, **object_store.environment()},
        stdout=subprocess.PIPE,
        check=True,
    )

    assert int(child.stdout) < LIMIT
