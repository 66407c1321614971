"""The stages as a driver calls them: which RPC, which request, which folder, which figures.

One entry a stage; a driver needs nothing else to know what a stage is. Shared by every driver of the
pipeline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from splatworks_operator.pipeline import JobSpec, StageName

_PROFILES = {"draft": trainer_pb2.PROFILE_DRAFT, "standard": trainer_pb2.PROFILE_STANDARD}


@dataclass(frozen=True)
class StageCall:
    """How one stage is called.

    Attributes:
        service: The service that runs it ("sfm"); its entry point is ``splatworks-{service}``.
        folder: Its output's folder under the job's output.
        request: Builds the request from the job, the request id and the cache policy.
        rpc: The RPC on a channel.
        response_type: The message class of its response.
    """

    service: str
    folder: str
    request: Callable[[JobSpec, str, common_pb2.CachePolicy], Message]
    rpc: Callable[[Any], Callable[..., Any]]
    response_type: type[Any]


def _reconstruct(job: JobSpec, request_id: str, cache: common_pb2.CachePolicy) -> Message:
    return sfm_pb2.ReconstructRequest(
        request_id=request_id,
        photos_uri=job.photos_uri,
        output_uri=output_uri(job, StageName.SFM),
        cache_policy=cache,
    )


def _train(job: JobSpec, request_id: str, cache: common_pb2.CachePolicy) -> Message:
    return trainer_pb2.TrainRequest(
        request_id=request_id,
        colmap_uri=output_uri(job, StageName.SFM),
        output_uri=output_uri(job, StageName.TRAIN),
        cache_policy=cache,
        options=trainer_pb2.TrainOptions(profile=_PROFILES[job.profile]),
    )


def _compress(job: JobSpec, request_id: str, cache: common_pb2.CachePolicy) -> Message:
    return compressor_pb2.CompressRequest(
        request_id=request_id,
        gaussian_uri=output_uri(job, StageName.TRAIN),
        colmap_uri=output_uri(job, StageName.SFM),
        output_uri=output_uri(job, StageName.COMPRESS),
        cache_policy=cache,
    )


def _publish(job: JobSpec, request_id: str, cache: common_pb2.CachePolicy) -> Message:
    return streamer_pb2.PublishSceneRequest(
        request_id=request_id,
        compressed_uri=output_uri(job, StageName.COMPRESS),
        gaussian_uri=output_uri(job, StageName.TRAIN),
        output_uri=output_uri(job, StageName.PUBLISH),
        cache_policy=cache,
        slug=job.slug,
        title=job.title,
    )


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


def output_uri(job: JobSpec, stage: StageName) -> str:
    """Where a stage of the job writes."""
    return f"{job.output_uri}/{CALLS[stage].folder}"
