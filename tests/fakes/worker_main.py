"""``python -m tests.fakes.worker_main STORE CAPACITY``: one worker of each stage, which finishes at once.

Writes their addresses by service as one JSON line, and ends when its stdin does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from splatworks_operator.requests import CALLS
from splatworks_operator.status import StageName
from tests.fakes.store import FolderArtifacts
from tests.fakes.worker import FakeWorker, Ledger

if __name__ == "__main__":
    store, ledger = FolderArtifacts(Path(sys.argv[1])), Ledger()
    workers = {
        stage: FakeWorker(stage, store, ledger, capacity=int(sys.argv[2]), threads=4) for stage in StageName
    }
    for worker in workers.values():
        worker.start()
    addresses = {CALLS[stage].service: [worker.address] for stage, worker in workers.items()}
    print(json.dumps(addresses), flush=True)
    sys.stdin.read()
    for worker in workers.values():
        worker.kill()
    if ledger.repeated:
        raise SystemExit(f"these ran more than once: {ledger.repeated}")
