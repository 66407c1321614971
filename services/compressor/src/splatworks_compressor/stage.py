"""The compression stage: between ``CompressRequest`` and the domain's ``compress``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from splatworks.v1 import common_pb2, compressor_pb2
from splatworks_common import options
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.progress import Report
from splatworks_common.reasons import InvalidField
from splatworks_common.stages import Input, Metrics, Workspace, parse_uri
from splatworks_compressor.config import STEPS, CompressOptions, Quality

_QUALITIES = {
    compressor_pb2.QUALITY_UNSPECIFIED: Quality.DEFAULT,
    compressor_pb2.QUALITY_HIGH: Quality.HIGH,
    compressor_pb2.QUALITY_DEFAULT: Quality.DEFAULT,
    compressor_pb2.QUALITY_SMALL: Quality.SMALL,
}


class CompressStage:
    """Gaussians to SOG."""

    name = "compress"
    version = "3"
    steps = STEPS
    request_type = compressor_pb2.CompressRequest

    def inputs(self, request: compressor_pb2.CompressRequest) -> Mapping[str, Input]:
        """The trained scene, and the photos to measure it against where they are given."""
        inputs = {"gaussian": Input(parse_uri("gaussian_uri", request.gaussian_uri))}
        if request.colmap_uri:
            inputs["colmap"] = Input(parse_uri("colmap_uri", request.colmap_uri), only="dense/images/")
        return inputs

    def parameters(self, request: compressor_pb2.CompressRequest) -> Mapping[str, object]:
        """All options."""
        return asdict(_options(request))

    def work(self, request: compressor_pb2.CompressRequest, workspace: Workspace, report: Report) -> Metrics:
        """Compresses the scene."""
        # The server never needs the kernels; only the operation's own process pays for them.
        from splatworks_compressor.compress import compress

        colmap = workspace.inputs.get("colmap")
        summary = compress(
            workspace.inputs["gaussian"],
            colmap / "dense" / "images" if colmap else None,
            workspace.output,
            _options(request),
            report,
            threads=workspace.threads,
        )
        metrics: dict[str, float] = {
            "gaussians": summary.gaussians,
            "size_bytes": summary.size_bytes,
            "ratio": summary.ratio,
        }
        if summary.psnr_loss is not None:
            metrics["psnr_loss"] = summary.psnr_loss
        return metrics

    def finish(
        self,
        request: compressor_pb2.CompressRequest,
        result: common_pb2.StageResult,
        metrics: Metrics,
        store: ArtifactStore,
    ) -> compressor_pb2.CompressResponse:
        """The typed response."""
        return compressor_pb2.CompressResponse(
            result=result,
            gaussians=int(metrics["gaussians"]),
            size_bytes=int(metrics["size_bytes"]),
            ratio=metrics["ratio"],
            psnr_loss=metrics.get("psnr_loss"),
        )


def _options(request: compressor_pb2.CompressRequest) -> CompressOptions:
    quality = _QUALITIES.get(request.options.quality)
    if quality is None:
        raise InvalidField(
            "options.quality", f"{request.options.quality} is not a number of the enum Quality"
        )
    return options.merged(CompressOptions(), request.options, quality=quality)


STAGE = CompressStage()
