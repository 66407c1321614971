"""The stages as a driver calls them: which RPC, which request, which folder.

One entry a stage; a driver needs nothing else to know what a stage is. Shared by every driver of the
pipeline. Invariant: an option that the spec leaves open is left out of the request, so that the service's own
default holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

from splatworks.v1 import (
    common_pb2,
    compressor_pb2,
    compressor_pb2_grpc,
    sfm_pb2,
    sfm_pb2_grpc,
    streamer_pb2,
    streamer_pb2_grpc,
    trainer_pb2,
    trainer_pb2_grpc,
)
from splatworks_operator.job import Job
from splatworks_operator.spec import Profile, SfmOptions
from splatworks_operator.status import StageName


@dataclass(frozen=True)
class StageCall:
    """How one stage is called.

    Attributes:
        service: The service that runs it ("sfm"); its entry point is ``splatworks-{service}``.
        folder: Its output's folder under the job's output.
        request: Builds the request from the job and the request id.
        rpc: The RPC on a channel.
        response_type: The message class of its response.
    """

    service: str
    folder: str
    request: Callable[[Job, str], Message]
    rpc: Callable[[Any], Callable[..., Any]]
    response_type: type[Any]


_SFM_OF_DRAFT = SfmOptions(max_feature_size=1024, max_features=2048)
"""What a draft leaves out: with half as many features cameras are found in half the time (fifty photos)."""


def _reconstruct(job: Job, request_id: str) -> Message:
    options, draft = job.spec.sfm, _SFM_OF_DRAFT if job.spec.profile is Profile.DRAFT else SfmOptions()
    return sfm_pb2.ReconstructRequest(
        request_id=request_id,
        photos_uri=job.spec.source.uri,
        output_uri=output_uri(job, StageName.SFM),
        timeout=_duration(options.timeout_seconds),
        cache_policy=_value(common_pb2.CachePolicy, job.spec.cache_policy),
        options=sfm_pb2.SfmOptions(
            max_feature_size=options.max_feature_size or draft.max_feature_size,
            max_features=options.max_features or draft.max_features,
            matching=_value(sfm_pb2.Matching, options.matching),
            seed=options.seed,
        ),
    )


def _train(job: Job, request_id: str) -> Message:
    options = job.spec.train
    return trainer_pb2.TrainRequest(
        request_id=request_id,
        colmap_uri=output_uri(job, StageName.SFM),
        output_uri=output_uri(job, StageName.TRAIN),
        timeout=_duration(options.timeout_seconds),
        cache_policy=_value(common_pb2.CachePolicy, job.spec.cache_policy),
        options=trainer_pb2.TrainOptions(
            profile=_value(trainer_pb2.Profile, job.spec.profile),
            max_steps=options.max_steps,
            max_gaussians=options.max_gaussians,
            max_image_side=options.max_image_side,
            engine=_value(trainer_pb2.Engine, options.engine),
            require_gpu=options.require_gpu,
            strategy=_value(trainer_pb2.Strategy, options.strategy),
            sh_degree=options.sh_degree,
            sh_schedule=options.sh_schedule,
            resolution_schedule=[
                trainer_pb2.ResolutionLevel(size=level.size, start=level.start)
                for level in options.resolution_schedule or ()
            ],
            plateau=trainer_pb2.PlateauOptions(
                metric=_value(trainer_pb2.PlateauMetric, options.plateau.metric),
                patience=options.plateau.patience,
                min_delta=options.plateau.min_delta,
            ),
            target_psnr=options.target_psnr,
            densify=trainer_pb2.DensifyOptions(
                start=options.densify.start,
                until=options.densify.until,
                rounds=options.densify.rounds,
                grow_gradient=options.densify.grow_gradient,
                split_scale=options.densify.split_scale,
            ),
            prune=trainer_pb2.PruneOptions(
                opacity=options.prune.opacity, significance=options.prune.significance
            ),
            ssim_weight=options.ssim_weight,
            exposure=options.exposure,
            background=_value(trainer_pb2.Background, options.background),
            antialiased=options.antialiased,
            holdout=None if options.holdout is None else _value(trainer_pb2.Holdout, options.holdout),
            hold_out_every=options.hold_out_every,
            polish=options.polish,
            absgrad=options.absgrad,
            seed=options.seed,
            checkpoint_seconds=options.checkpoint_seconds,
        ),
    )


def _compress(job: Job, request_id: str) -> Message:
    options = job.spec.compress
    return compressor_pb2.CompressRequest(
        request_id=request_id,
        gaussian_uri=output_uri(job, StageName.TRAIN),
        colmap_uri=output_uri(job, StageName.SFM),
        output_uri=output_uri(job, StageName.COMPRESS),
        timeout=_duration(options.timeout_seconds),
        cache_policy=_value(common_pb2.CachePolicy, job.spec.cache_policy),
        options=compressor_pb2.CompressOptions(quality=_value(compressor_pb2.Quality, options.quality)),
    )


def _publish(job: Job, request_id: str) -> Message:
    return streamer_pb2.PublishSceneRequest(
        request_id=request_id,
        compressed_uri=output_uri(job, StageName.COMPRESS),
        gaussian_uri=output_uri(job, StageName.TRAIN),
        output_uri=output_uri(job, StageName.PUBLISH),
        timeout=_duration(job.spec.publish.timeout_seconds),
        cache_policy=_value(common_pb2.CachePolicy, job.spec.cache_policy),
        slug=job.slug,
        title=job.title,
    )


def _value(enum: EnumTypeWrapper, choice: StrEnum) -> Any:
    """The value of a proto's ``enum`` that is called as the spec's ``choice`` is."""
    unspecified: str = enum.Name(0)
    return enum.Value(unspecified.removesuffix("UNSPECIFIED") + choice.name)


def _duration(seconds: int | None) -> Duration | None:
    return None if seconds is None else Duration(seconds=seconds)


CALLS: dict[StageName, StageCall] = {
    StageName.SFM: StageCall(
        "sfm",
        "colmap",
        _reconstruct,
        lambda channel: sfm_pb2_grpc.SfmServiceStub(channel).Reconstruct,
        sfm_pb2.ReconstructResponse,
    ),
    StageName.TRAIN: StageCall(
        "trainer",
        "gaussian",
        _train,
        lambda channel: trainer_pb2_grpc.TrainerServiceStub(channel).Train,
        trainer_pb2.TrainResponse,
    ),
    StageName.COMPRESS: StageCall(
        "compressor",
        "compressed",
        _compress,
        lambda channel: compressor_pb2_grpc.CompressorServiceStub(channel).Compress,
        compressor_pb2.CompressResponse,
    ),
    StageName.PUBLISH: StageCall(
        "streamer",
        "published",
        _publish,
        lambda channel: streamer_pb2_grpc.StreamerServiceStub(channel).PublishScene,
        streamer_pb2.PublishSceneResponse,
    ),
}


def output_uri(job: Job, stage: StageName) -> str:
    """Where a stage of the job writes."""
    return f"{job.output_uri}/{CALLS[stage].folder}"
