"""The training stage: between ``TrainRequest`` and the domain's ``train``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import TypeVar

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from splatworks.v1 import common_pb2, trainer_pb2
from splatworks_common import options
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.progress import Report
from splatworks_common.reasons import InvalidField
from splatworks_common.stages import Input, Metrics, Workspace, parse_uri
from splatworks_trainer.config import (
    DRAFT,
    HIGH,
    STANDARD,
    Background,
    EngineName,
    Holdout,
    PlateauMetric,
    StrategyName,
    TrainOptions,
)
from splatworks_trainer.steps import STEPS

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)

_PROFILES = {
    trainer_pb2.PROFILE_UNSPECIFIED: STANDARD,
    trainer_pb2.PROFILE_STANDARD: STANDARD,
    trainer_pb2.PROFILE_DRAFT: DRAFT,
    trainer_pb2.PROFILE_HIGH: HIGH,
}


class TrainStage:
    """A COLMAP model to Gaussians."""

    name = "train"
    version = "4"
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
            live=workspace.live,
            defaults=_PROFILES[request.options.profile],
        )
        quality = {
            "psnr": summary.psnr,
            "ssim": summary.ssim,
            "compensated_psnr": summary.compensated_psnr,
            "covered_psnr": summary.covered_psnr,
        }
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
            compensated_psnr=metrics.get("compensated_psnr"),
            covered_psnr=metrics.get("covered_psnr"),
        )


def _options(request: trainer_pb2.TrainRequest) -> TrainOptions:
    given = request.options
    defaults = _PROFILES.get(given.profile)
    if defaults is None:
        raise InvalidField("options.profile", f"{given.profile} is not a number of the enum Profile")
    levels = tuple((level.size, level.start) for level in given.resolution_schedule)
    return options.merged(
        defaults,
        given,
        profile=None,
        engine=_choice(EngineName, trainer_pb2.Engine, given.engine, "engine"),
        strategy=_choice(StrategyName, trainer_pb2.Strategy, given.strategy, "strategy"),
        background=_choice(Background, trainer_pb2.Background, given.background, "background"),
        holdout=_holdout(given),
        plateau_metric=_choice(
            PlateauMetric, trainer_pb2.PlateauMetric, given.plateau.metric, "plateau.metric"
        ),
        resolution_schedule=levels or None,
        sh_schedule=tuple(given.sh_schedule) or None,
    )


def _holdout(given: trainer_pb2.TrainOptions) -> Holdout | None:
    """What the request says; a number of photos says EVERY_N by itself."""
    chosen = _choice(Holdout, trainer_pb2.Holdout, given.holdout, "holdout")
    return Holdout.EVERY_N if chosen is None and given.HasField("hold_out_every") else chosen


def _choice(choices: type[ChoiceT], enum: EnumTypeWrapper, number: int, field: str) -> ChoiceT | None:
    """The choice named as the number in the request's enum is; None for 0, which leaves it open.

    Raises:
        InvalidField: The enum has no such number.
    """
    if number == 0:
        return None
    try:
        word = enum.Name(number)
    except ValueError:
        name = enum.DESCRIPTOR.name
        raise InvalidField(f"options.{field}", f"{number} is not a number of the enum {name}") from None
    unspecified: str = enum.Name(0)
    return choices[word.removeprefix(unspecified.removesuffix("UNSPECIFIED"))]


STAGE = TrainStage()
