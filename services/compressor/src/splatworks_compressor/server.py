"""The gRPC face of the compressor service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from google.longrunning import operations_pb2

from splatworks.v1 import compressor_pb2, compressor_pb2_grpc
from splatworks_common import server
from splatworks_common.operations.servicer import StageStarter
from splatworks_compressor.stage import STAGE


class CompressorServicer(compressor_pb2_grpc.CompressorServiceServicer):
    """``splatworks.v1.CompressorService``."""

    def __init__(self, start: StageStarter) -> None:
        self._start = start

    async def Compress(
        self, request: compressor_pb2.CompressRequest, context: Any
    ) -> operations_pb2.Operation:
        """Starts a compression."""
        return self._start(request)


@contextlib.asynccontextmanager
async def _open(context: server.Context) -> AsyncIterator[None]:
    compressor_pb2_grpc.add_CompressorServiceServicer_to_server(
        CompressorServicer(context.start), context.server
    )
    yield


SERVICE = server.Service(
    name="compressor",
    distribution="splatworks-compressor",
    stage=STAGE,
    stage_reference="splatworks_compressor.stage:STAGE",
    full_names=["splatworks.v1.CompressorService"],
    open=_open,
)


def main() -> None:
    """The entry point ``splatworks-compressor``."""
    server.main(SERVICE)


if __name__ == "__main__":
    main()
