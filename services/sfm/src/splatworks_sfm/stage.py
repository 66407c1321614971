"""The sfm stage: between ``ReconstructRequest`` and the domain's ``reconstruct``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from splatworks.v1 import common_pb2, sfm_pb2
from splatworks_common import options
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.progress import Report
from splatworks_common.reasons import InvalidField
from splatworks_common.stages import Credentials, Input, Metrics, Workspace, parse_uri
from splatworks_sfm.config import Matching, SfmOptions
from splatworks_sfm.steps import STEPS

_MATCHING = {
    sfm_pb2.MATCHING_UNSPECIFIED: Matching.AUTO,
    sfm_pb2.MATCHING_AUTO: Matching.AUTO,
    sfm_pb2.MATCHING_EXHAUSTIVE: Matching.EXHAUSTIVE,
    sfm_pb2.MATCHING_SEQUENTIAL: Matching.SEQUENTIAL,
}


class SfmStage:
    """Photos to a COLMAP model."""

    name = "sfm"
    version = "3"
    steps = STEPS
    request_type = sfm_pb2.ReconstructRequest

    def inputs(self, request: sfm_pb2.ReconstructRequest) -> Mapping[str, Input]:
        """The photos: a prefix, or one zip."""
        uri = parse_uri("photos_uri", request.photos_uri)
        is_object = uri.key.lower().endswith(".zip")
        return {"photos": Input(uri, is_object=is_object, credentials=_credentials(request))}

    def parameters(self, request: sfm_pb2.ReconstructRequest) -> Mapping[str, object]:
        """All options but the number of threads, which changes no result; the photos' keys are none."""
        return {name: value for name, value in asdict(_options(request)).items() if name != "threads"}

    def work(self, request: sfm_pb2.ReconstructRequest, workspace: Workspace, report: Report) -> Metrics:
        """Reconstructs the capture."""
        # The server never needs COLMAP; only the operation's own process pays for it.
        from splatworks_sfm.reconstruct import reconstruct

        photos = workspace.inputs["photos"]
        archives = list(photos.iterdir()) if self.inputs(request)["photos"].is_object else [photos]
        settings = _options(request, threads=workspace.threads)
        result = reconstruct(
            archives[0],
            workspace.output,
            settings,
            report,
            scratch=workspace.scratch,
            checkpoint=workspace.checkpoint,
        )
        return {
            "total_images": result.photos_in,
            "registered_images": result.registered,
            "points": result.points,
            "mean_reprojection_error_px": result.reprojection_error,
        }

    def finish(
        self,
        request: sfm_pb2.ReconstructRequest,
        result: common_pb2.StageResult,
        metrics: Metrics,
        store: ArtifactStore,
    ) -> sfm_pb2.ReconstructResponse:
        """The typed response."""
        return sfm_pb2.ReconstructResponse(
            result=result,
            total_images=int(metrics["total_images"]),
            registered_images=int(metrics["registered_images"]),
            points=int(metrics["points"]),
            mean_reprojection_error_px=metrics["mean_reprojection_error_px"],
        )


def _credentials(request: sfm_pb2.ReconstructRequest) -> Credentials | None:
    if not request.HasField("photos_credentials"):
        return None
    given = request.photos_credentials
    for name, key in (("access_key", given.access_key), ("secret_key", given.secret_key)):
        if not key:
            raise InvalidField(f"photos_credentials.{name}", "is required")
    return Credentials(given.access_key, given.secret_key)


def _options(request: sfm_pb2.ReconstructRequest, **own: object) -> SfmOptions:
    number = request.options.matching
    matching = _MATCHING.get(number)
    if matching is None:
        raise InvalidField("options.matching", f"{number} is not a number of the enum Matching")
    return options.merged(SfmOptions(), request.options, matching=matching, **own)


STAGE = SfmStage()
