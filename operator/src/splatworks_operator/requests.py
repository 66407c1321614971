"""The stages as a driver calls them: which RPC, which request, which folder.

One entry a stage; a driver needs nothing else to know what a stage is. Shared by every driver of the
pipeline. Invariant: an option that the spec leaves open is left out of the request, so that the service's own
default holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration
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
from splatworks_operator.spec import CachePolicy, Matching, Profile, Quality
from splatworks_operator.status import StageName

_PROFILES = {
    Profile.DRAFT: trainer_pb2.PROFILE_DRAFT,
    Profile.STANDARD: trainer_pb2.PROFILE_STANDARD,
}
_MATCHING = {
    Matching.AUTO: sfm_pb2.MATCHING_AUTO,
    Matching.EXHAUSTIVE: sfm_pb2.MATCHING_EXHAUSTIVE,
    Matching.SEQUENTIAL: sfm_pb2.MATCHING_SEQUENTIAL,
}
_QUALITY = {
    Quality.HIGH: compressor_pb2.QUALITY_HIGH,
    Quality.DEFAULT: compressor_pb2.QUALITY_DEFAULT,
    Quality.SMALL: compressor_pb2.QUALITY_SMALL,
}
_CACHE = {
    CachePolicy.REUSE: common_pb2.CACHE_POLICY_REUSE,
    CachePolicy.NEVER: common_pb2.CACHE_POLICY_NEVER,
}


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


def _reconstruct(job: Job, request_id: str) -> Message:
    options = job.spec.sfm
    return sfm_pb2.ReconstructRequest(
        request_id=request_id,
        photos_uri=job.spec.source.uri,
        output_uri=output_uri(job, StageName.SFM),
        timeout=_duration(options.timeout_seconds),
        cache_policy=_CACHE[job.spec.cache_policy],
        options=sfm_pb2.SfmOptions(
            max_feature_size=options.max_feature_size,
            max_features=options.max_features,
            matching=_MATCHING[options.matching],
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
        cache_policy=_CACHE[job.spec.cache_policy],
        options=trainer_pb2.TrainOptions(
            profile=_PROFILES[job.spec.profile],
            max_steps=options.max_steps,
            max_gaussians=options.max_gaussians,
            max_image_side=options.max_image_side,
            sh_degree=options.sh_degree,
            target_psnr=options.target_psnr,
            hold_out_every=options.hold_out_every,
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
        cache_policy=_CACHE[job.spec.cache_policy],
        options=compressor_pb2.CompressOptions(quality=_QUALITY[options.quality]),
    )


def _publish(job: Job, request_id: str) -> Message:
    return streamer_pb2.PublishSceneRequest(
        request_id=request_id,
        compressed_uri=output_uri(job, StageName.COMPRESS),
        gaussian_uri=output_uri(job, StageName.TRAIN),
        output_uri=output_uri(job, StageName.PUBLISH),
        timeout=_duration(job.spec.publish.timeout_seconds),
        cache_policy=_CACHE[job.spec.cache_policy],
        slug=job.slug,
        title=job.title,
    )


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
