"""The gRPC face of the sfm service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from google.longrunning import operations_pb2

from splatworks.v1 import sfm_pb2, sfm_pb2_grpc
from splatworks_common import server
from splatworks_common.operations.servicer import StageStarter
from splatworks_sfm.stage import STAGE


class SfmServicer(sfm_pb2_grpc.SfmServiceServicer):
    """``splatworks.v1.SfmService``."""

    def __init__(self, start: StageStarter) -> None:
        self._start = start

    async def Reconstruct(
        self, request: sfm_pb2.ReconstructRequest, context: Any
    ) -> operations_pb2.Operation:
        """Starts a reconstruction."""
        return self._start(request)


@contextlib.asynccontextmanager
async def _open(context: server.Context) -> AsyncIterator[None]:
    sfm_pb2_grpc.add_SfmServiceServicer_to_server(SfmServicer(context.start), context.server)
    yield


SERVICE = server.Service(
    name="sfm",
    distribution="splatworks-sfm",
    stage=STAGE,
    stage_reference="splatworks_sfm.stage:STAGE",
    full_names=["splatworks.v1.SfmService"],
    open=_open,
)


def main() -> None:
    """The entry point ``splatworks-sfm``."""
    server.main(SERVICE)


if __name__ == "__main__":
    main()
