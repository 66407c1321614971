"""A stage whose work is chosen by the last segment of its output's address: the ways in which work can
end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping

from splatworks.v1 import common_pb2, sfm_pb2
from splatworks_common import reasons
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.checkpoints import Checkpoint
from splatworks_common.progress import Report, Update
from splatworks_common.stages import Credentials, Input, Metrics, Workspace, parse_uri


class ToyStage:
    name = "toy"
    version = "1"
    steps: Mapping[str, float] = {"first": 0.5, "second": 0.5}
    request_type = sfm_pb2.ReconstructRequest

    def inputs(self, request: sfm_pb2.ReconstructRequest) -> Mapping[str, Input]:
        keys = request.photos_credentials
        credentials = Credentials(keys.access_key, keys.secret_key) if keys.access_key else None
        return {"photos": Input(parse_uri("photos_uri", request.photos_uri), credentials=credentials)}

    def parameters(self, request: sfm_pb2.ReconstructRequest) -> Mapping[str, object]:
        if request.options.seed < 0:
            raise reasons.InvalidField("options.seed", "must not be negative")
        return {"seed": request.options.seed}

    def work(self, request: sfm_pb2.ReconstructRequest, workspace: Workspace, report: Report) -> Metrics:
        behaviour = request.output_uri.rpartition("/")[2]
        if behaviour == "keep":
            self._keep(workspace.checkpoint)
        else:
            getattr(self, f"_{behaviour}")(report)
        photos = sorted(workspace.inputs["photos"].iterdir())
        (workspace.output / "names.txt").write_text("\n".join(photo.name for photo in photos))
        return {"total_images": len(photos)}

    def finish(
        self,
        request: sfm_pb2.ReconstructRequest,
        result: common_pb2.StageResult,
        metrics: Metrics,
        store: ArtifactStore,
    ) -> sfm_pb2.ReconstructResponse:
        return sfm_pb2.ReconstructResponse(result=result, total_images=int(metrics["total_images"]))

    def _succeed(self, report: Report) -> None:
        report(Update("first", 1, 2, "Half of the first", {"psnr": 20.5}))
        report(Update("second", 1, 1, "All of the second"))

    def _keep(self, checkpoint: Checkpoint) -> None:
        """Saves its state when the worker is stopping and never ends before; where it goes on, it ends."""
        if checkpoint.load() is not None:
            return
        while not checkpoint.due(3600):
            threading.Event().wait(0.01)
        checkpoint.save(lambda folder: (folder / "state.txt").touch())

    def _hang(self, report: Report) -> None:
        """Never ends, ignores polite requests to stop, and has a child of its own."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        grandchild = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
        report(Update("first", 1, 4, "Hanging", {"pid": os.getpid(), "grandchild": grandchild.pid}))
        threading.Event().wait()

    def _refuse(self, report: Report) -> None:
        raise reasons.TooFewImages("Only 2 photos are usable.")

    def _raise(self, report: Report) -> None:
        raise RuntimeError("an unexpected thing happened")

    def _segfault(self, report: Report) -> None:
        print("about to crash", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)

    def _allocate(self, report: Report) -> None:
        blocks = [bytearray(64 << 20) for _ in range(1024)]
        raise AssertionError(f"{len(blocks)} blocks of 64 MiB were allocated in spite of the limit")


STAGE = ToyStage()
