"""The publishing stage: between ``PublishSceneRequest``, the domain's ``prepare`` and the list of scenes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from splatworks.v1 import common_pb2, streamer_pb2
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.progress import Report
from splatworks_common.reasons import InputInvalid, InvalidField
from splatworks_common.stages import Input, Metrics, Workspace, parse_uri
from splatworks_streamer.publish import STEPS, prepare
from splatworks_streamer.scenes import Scene, SceneRegistry, check_slug, check_title


class PublishStage:
    """A compressed scene to a page."""

    name = "publish"
    version = "2"
    steps = STEPS
    request_type = streamer_pb2.PublishSceneRequest

    def inputs(self, request: streamer_pb2.PublishSceneRequest) -> Mapping[str, Input]:
        """The trained scene and the compressed one."""
        return {
            "gaussian": Input(parse_uri("gaussian_uri", request.gaussian_uri)),
            "compressed": Input(parse_uri("compressed_uri", request.compressed_uri)),
        }

    def parameters(self, request: streamer_pb2.PublishSceneRequest) -> Mapping[str, object]:
        """What the page shows beside the scene."""
        with blaming("slug"):
            check_slug(request.slug)
        with blaming("title"):
            check_title(_title(request))
        return {"title": _title(request)}

    def work(
        self, request: streamer_pb2.PublishSceneRequest, workspace: Workspace, report: Report
    ) -> Metrics:
        """Makes the page's files."""
        prepare(
            workspace.inputs["gaussian"],
            workspace.inputs["compressed"],
            workspace.output,
            title=_title(request),
            report=report,
        )
        return {}

    def finish(
        self,
        request: streamer_pb2.PublishSceneRequest,
        result: common_pb2.StageResult,
        metrics: Metrics,
        store: ArtifactStore,
    ) -> streamer_pb2.PublishSceneResponse:
        """Puts the scene on the list of those that are served."""
        scene = scene_registry(store).publish(
            request.slug,
            published=S3Uri.parse(request.output_uri),
            compressed=S3Uri.parse(request.compressed_uri),
            at=datetime.now(UTC),
        )
        return streamer_pb2.PublishSceneResponse(result=result, scene=scene_message(scene))


def _title(request: streamer_pb2.PublishSceneRequest) -> str:
    return request.title or request.slug


@contextlib.contextmanager
def blaming(field: str) -> Iterator[None]:
    """Says of an ``InputInvalid`` from within which field of the request it is about."""
    try:
        yield
    except InputInvalid as error:
        raise InvalidField(field, str(error)) from error


def scene_registry(store: ArtifactStore) -> SceneRegistry:
    """The published scenes of a store."""
    return SceneRegistry(store, store.uri("scenes"))


def scene_message(scene: Scene) -> streamer_pb2.Scene:
    """A scene as it goes over the wire."""
    message = streamer_pb2.Scene(
        slug=scene.slug,
        title=scene.title,
        path=f"/s/{scene.slug}/",
        compressed_uri=str(scene.compressed_uri),
        gaussians=scene.gaussians,
        size_bytes=scene.size_bytes,
        psnr=scene.psnr,
    )
    message.publish_time.FromDatetime(scene.published_at)
    return message


STAGE = PublishStage()
