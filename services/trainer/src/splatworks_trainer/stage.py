"""The training stage: between ``TrainRequest`` and the domain's ``train``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from splatworks.v1 import common_pb2, trainer_pb2
from splatworks_common import options
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.progress import Report
from splatworks_common.reasons import InvalidField
from splatworks_common.stages import Input, Metrics, Workspace, parse_uri
from splatworks_trainer.config import DRAFT, STANDARD, TrainOptions
from splatworks_trainer.steps import STEPS

_PROFILES = {
    trainer_pb2.PROFILE_UNSPECIFIED: STANDARD,
    trainer_pb2.PROFILE_STANDARD: STANDARD,
    trainer_pb2.PROFILE_DRAFT: DRAFT,
}


class TrainStage:
    """A COLMAP model to Gaussians."""

    name = "train"
    version = "1"
    steps = STEPS
    request_type = trainer_pb2.TrainRequest

    def inputs(self, request: trainer_pb2.TrainRequest) -> Mapping[str, Input]:
        """The undistorted photos and their model."""
        return {"colmap": Input(parse_uri("colmap_uri", request.colmap_uri), only="dense/")}

    def parameters(self, request: trainer_pb2.TrainRequest) -> Mapping[str, object]:
        """All options but how often the state is kept, which changes no result."""
        options = asdict(_options(request))
        return {name: value for name, value in options.items() if name != "checkpoint_seconds"}

    def work(self, request: trainer_pb2.TrainRequest, workspace: Workspace, report: Report) -> Metrics:
        """Trains the scene."""
        # The server never needs scipy and the kernels; only the operation's own process pays for them.
        from splatworks_trainer.train import train

        summary = train(
            workspace.inputs["colmap"],
            workspace.output,
            _options(request),
            report,
            threads=workspace.threads,
            checkpoint=workspace.checkpoint,
        )
        quality = {"psnr": summary.psnr, "ssim": summary.ssim}
        return {
            "gaussians": summary.gaussians,
            "steps": summary.steps,
            **{name: value for name, value in quality.items() if value is not None},
        }

    def finish(
        self,
        request: trainer_pb2.TrainRequest,
        result: common_pb2.StageResult,
        metrics: Metrics,
        store: ArtifactStore,
    ) -> trainer_pb2.TrainResponse:
        """The typed response."""
        return trainer_pb2.TrainResponse(
            result=result,
            gaussians=int(metrics["gaussians"]),
            steps=int(metrics["steps"]),
            psnr=metrics.get("psnr"),
            ssim=metrics.get("ssim"),
        )


def _options(request: trainer_pb2.TrainRequest) -> TrainOptions:
    number = request.options.profile
    defaults = _PROFILES.get(number)
    if defaults is None:
        raise InvalidField("options.profile", f"{number} is not a number of the enum Profile")
    return options.merged(defaults, request.options, profile=None)


STAGE = TrainStage()
