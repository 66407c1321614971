"""``python -m tests.fakes.operator_main CONFIG STORE``: the operator's process over a store in a folder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from splatworks_common import logs
from splatworks_operator.kube.config import load
from splatworks_operator.kube.main import run
from tests.fakes.store import FolderArtifacts

if __name__ == "__main__":
    logs.configure("info")
    raise SystemExit(asyncio.run(run(load(Path(sys.argv[1])), FolderArtifacts(Path(sys.argv[2])))))
